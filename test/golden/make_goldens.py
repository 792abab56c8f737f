#!/usr/bin/env python3
"""Writes seeded.json: what PyTorch answers for seeded weights and made pictures.

The networks and the cascade are written here a second time, with PyTorch's layers, from the same descriptions as
src/models/graphs/ and src/vision/detectors/mtcnn.ts, so that the two check each other. Weights and pictures come from
the generator of test/support/seeded-weights.ts; MTCNN's are altered (see mtcnn_tensor) so that its thresholds lie among
its answers and its slopes have both signs. Nothing published is in the file.

usage: pip install torch numpy; python3 test/golden/make_goldens.py
"""
import json, math, os
import numpy as np
import torch
import torch.nn.functional as F

torch.set_grad_enabled(False)


def uniform(name, n):
    h = 0x811C9DC5
    for b in name.encode():
        h = ((h ^ b) * 0x01000193) & 0xFFFFFFFF
    i = np.arange(1, n + 1, dtype=np.uint64)
    a = ((np.uint64(h) + i * np.uint64(0x6D2B79F5)) & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    with np.errstate(over="ignore"):
        t = (a ^ (a >> np.uint32(15))) * (a | np.uint32(1))
        t = (t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))) ^ t
        t = t ^ (t >> np.uint32(14))
    return t.astype(np.float64) / 4294967296.0


def seeded(name, shape):
    u = uniform(name, math.prod(shape))
    if len(shape) > 1:
        v = (2 * u - 1) * np.sqrt(6.0 / np.prod(shape[1:]))
    elif name.endswith(("weight", "running_var")):
        v = 0.8 + 0.4 * u
    else:
        v = -0.1 + 0.2 * u
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def mtcnn_tensor(net, name, shape):
    full = f"{net}.{name}"
    if name.startswith("prelu"):
        return torch.from_numpy((2.4 * uniform(full, shape[0]) - 1.2).astype(np.float32))
    # Boxes that move by their own size leave the picture: the heads that move them answer a tenth.
    moves = name.startswith(("conv4_2", "dense5_2", "dense6_2"))
    return seeded(full, shape) * (0.1 if moves else 1)


def picture(name, width, height, cell):
    """Squares of `cell` pixels, each of its own colour; [height, width, 3] bytes."""
    columns, rows = -(-width // cell), -(-height // cell)
    colours = np.floor(uniform(name, rows * columns * 3) * 256).reshape(rows, columns, 3).astype(np.uint8)
    return colours.repeat(cell, 0).repeat(cell, 1)[:height, :width]


# InceptionResnetV1 -----------------------------------------------------------------------------------------------


def unit(x, name, out, kernel=(1, 1), stride=1, padding=(0, 0)):
    x = F.conv2d(x, seeded(f"{name}.conv.weight", [out, x.shape[1], *kernel]), None, stride, padding)
    parts = [seeded(f"{name}.bn.{p}", [out]) for p in ("running_mean", "running_var", "weight", "bias")]
    return F.relu(F.batch_norm(x, *parts, eps=0.001))


def three(x, name, out, stride=1, padding=0):
    return unit(x, name, out, (3, 3), stride, (padding, padding))


def mixed(x, name, branches, scale):
    y = torch.cat(branches, 1)
    weight = seeded(f"{name}.conv2d.weight", [x.shape[1], y.shape[1], 1, 1])
    return F.conv2d(y, weight, seeded(f"{name}.conv2d.bias", [x.shape[1]])) * scale + x


def block(x, name, out, size, scale):
    y = unit(unit(x, f"{name}.branch1.0", out), f"{name}.branch1.1", out, (1, size), padding=(0, size // 2))
    y = unit(y, f"{name}.branch1.2", out, (size, 1), padding=(size // 2, 0))
    return mixed(x, name, [unit(x, f"{name}.branch0", out), y], scale)


def inception(x):
    x = (x - 127.5) / 128
    x = three(x, "conv2d_1a", 32, 2)
    x = three(x, "conv2d_2a", 32)
    x = three(x, "conv2d_2b", 64, padding=1)
    x = F.max_pool2d(x, 3, 2)
    x = unit(x, "conv2d_3b", 80)
    x = three(x, "conv2d_4a", 192)
    x = three(x, "conv2d_4b", 256, 2)
    for i in range(5):
        n = f"repeat_1.{i}"
        one = three(unit(x, f"{n}.branch1.0", 32), f"{n}.branch1.1", 32, padding=1)
        two = three(unit(x, f"{n}.branch2.0", 32), f"{n}.branch2.1", 32, padding=1)
        two = three(two, f"{n}.branch2.2", 32, padding=1)
        x = F.relu(mixed(x, n, [unit(x, f"{n}.branch0", 32), one, two], 0.17))
    n = "mixed_6a"
    one = three(unit(x, f"{n}.branch1.0", 192), f"{n}.branch1.1", 192, padding=1)
    x = torch.cat([three(x, f"{n}.branch0", 384, 2), three(one, f"{n}.branch1.2", 256, 2), F.max_pool2d(x, 3, 2)], 1)
    for i in range(10):
        x = F.relu(block(x, f"repeat_2.{i}", 128, 7, 0.1))
    n = "mixed_7a"
    nil = three(unit(x, f"{n}.branch0.0", 256), f"{n}.branch0.1", 384, 2)
    one = three(unit(x, f"{n}.branch1.0", 256), f"{n}.branch1.1", 256, 2)
    two = three(unit(x, f"{n}.branch2.0", 256), f"{n}.branch2.1", 256, padding=1)
    x = torch.cat([nil, one, three(two, f"{n}.branch2.2", 256, 2), F.max_pool2d(x, 3, 2)], 1)
    for i in range(5):
        x = F.relu(block(x, f"repeat_3.{i}", 192, 3, 0.2))
    x = block(x, "block8", 192, 3, 1.0).mean((2, 3))
    x = F.linear(x, seeded("last_linear.weight", [512, 1792]))
    parts = [seeded(f"last_bn.{p}", [512]) for p in ("running_mean", "running_var", "weight", "bias")]
    return F.normalize(F.batch_norm(x, *parts, eps=0.001))


# MTCNN -----------------------------------------------------------------------------------------------------------


class Net:
    def __init__(self, name):
        self.name = name

    def get(self, tensor, *shape):
        return mtcnn_tensor(self.name, tensor, list(shape))

    def conv(self, x, name, out, side):
        return F.conv2d(x, self.get(f"{name}.weight", out, x.shape[1], side, side), self.get(f"{name}.bias", out))

    def prelu(self, x, name):
        return F.prelu(x, self.get(f"{name}.weight", x.shape[1]))

    def linear(self, x, name, out):
        return F.linear(x, self.get(f"{name}.weight", out, x.shape[1]), self.get(f"{name}.bias", out))


def pool(x, size):
    return F.max_pool2d(x, size, 2, ceil_mode=True)


def turned(x):
    return x.permute(0, 3, 2, 1).reshape(x.shape[0], -1)


def p_net(x):
    n, x = Net("pnet"), (x - 127.5) / 128
    x = pool(n.prelu(n.conv(x, "conv1", 10, 3), "prelu1"), 2)
    x = n.prelu(n.conv(x, "conv2", 16, 3), "prelu2")
    x = n.prelu(n.conv(x, "conv3", 32, 3), "prelu3")
    return F.softmax(n.conv(x, "conv4_1", 2, 1), 1)[:, 1], n.conv(x, "conv4_2", 4, 1)


def r_net(x):
    n, x = Net("rnet"), (x - 127.5) / 128
    x = pool(n.prelu(n.conv(x, "conv1", 28, 3), "prelu1"), 3)
    x = pool(n.prelu(n.conv(x, "conv2", 48, 3), "prelu2"), 3)
    x = n.prelu(n.conv(x, "conv3", 64, 2), "prelu3")
    x = n.prelu(n.linear(turned(x), "dense4", 128), "prelu4")
    return F.softmax(n.linear(x, "dense5_1", 2), 1)[:, 1], n.linear(x, "dense5_2", 4)


def o_net(x):
    n, x = Net("onet"), (x - 127.5) / 128
    x = pool(n.prelu(n.conv(x, "conv1", 32, 3), "prelu1"), 3)
    x = pool(n.prelu(n.conv(x, "conv2", 64, 3), "prelu2"), 3)
    x = pool(n.prelu(n.conv(x, "conv3", 64, 3), "prelu3"), 2)
    x = n.prelu(n.conv(x, "conv4", 128, 2), "prelu4")
    x = n.prelu(n.linear(turned(x), "dense5", 256), "prelu5")
    return F.softmax(n.linear(x, "dense6_1", 2), 1)[:, 1], n.linear(x, "dense6_2", 4), n.linear(x, "dense6_3", 10)


def suppress(boxes, scores, threshold, smaller=False):
    plus, kept = (1 if smaller else 0), []
    for i in np.argsort(-scores, kind="stable"):
        a = boxes[i]
        for j in kept:
            b = boxes[j]
            w = min(a[2], b[2]) - max(a[0], b[0]) + plus
            h = min(a[3], b[3]) - max(a[1], b[1]) + plus
            areas = [(c[2] - c[0] + plus) * (c[3] - c[1] + plus) for c in (a, b)]
            common = max(w, 0) * max(h, 0)
            if common / (min(areas) if smaller else sum(areas) - common) > threshold:
                break
        else:
            kept.append(i)
    return np.array(kept, dtype=int)


def moved(boxes, by, plus):
    size = np.stack([boxes[:, 2] - boxes[:, 0] + plus, boxes[:, 3] - boxes[:, 1] + plus] * 2, 1)
    return boxes + by * size


def squared(boxes):
    w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.maximum(w, h)
    x, y = boxes[:, 0] + (w - side) / 2, boxes[:, 1] + (h - side) / 2
    return np.stack([x, y, x + side, y + side], 1)


def crops(image, boxes, side):
    height, width = image.shape[2:]
    out, kept = [], []
    for i, (x1, y1, x2, y2) in enumerate(np.trunc(boxes).astype(int)):
        part = image[:, :, max(y1, 1) - 1 : min(y2, height), max(x1, 1) - 1 : min(x2, width)]
        if part.numel() and x2 > 0 and y2 > 0:
            out.append(F.interpolate(part, (side, side), mode="area"))
            kept.append(i)
    return torch.cat(out), np.array(kept, dtype=int)


def cascade(pixels, min_size, thresholds, factor=0.709):
    image = torch.from_numpy(pixels).float().permute(2, 0, 1)[None]
    height, width = image.shape[2:]
    scale, boxes, scores, moves = 12.0 / min_size, [], [], []
    shorter = min(width, height) * scale
    while shorter >= 12:
        size = (int(height * scale + 1), int(width * scale + 1))
        p, r = (t[0].numpy() for t in p_net(F.interpolate(image, size, mode="area")))
        y, x = np.nonzero(p >= thresholds[0])
        b = np.floor(np.float32(np.stack([2 * x + 1, 2 * y + 1, 2 * x + 12, 2 * y + 12], 1)) / np.float32(scale))
        pick = suppress(b, p[y, x], 0.5)
        boxes.append(b[pick]), scores.append(p[y, x][pick]), moves.append(r[:, y, x].T[pick])
        scale, shorter = scale * factor, shorter * factor
    boxes, scores, moves = np.concatenate(boxes), np.concatenate(scores), np.concatenate(moves)
    counts = [len(boxes)]
    pick = suppress(boxes, scores, 0.7)
    boxes = squared(moved(boxes[pick], moves[pick], 0))
    faces, kept = crops(image, boxes, 24)
    scores, moves = (t.numpy() for t in r_net(faces))
    margin = [float(np.abs(scores - thresholds[1]).min())]
    good = scores > thresholds[1]
    boxes, scores, moves = boxes[kept][good], scores[good], moves[good]
    pick = suppress(boxes, scores, 0.7)
    boxes = squared(moved(boxes[pick], moves[pick], 1))
    counts.append(len(boxes))
    faces, kept = crops(image, boxes, 48)
    scores, moves, points = (t.numpy() for t in o_net(faces))
    margin.append(float(np.abs(scores - thresholds[2]).min()))
    good = scores > thresholds[2]
    boxes, scores, moves, points = boxes[kept][good], scores[good], moves[good], points[good]
    w, h = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    px = w[:, None] * points[:, :5] + boxes[:, 0:1] - 1
    py = h[:, None] * points[:, 5:] + boxes[:, 1:2] - 1
    boxes = moved(boxes, moves, 1)
    pick = suppress(boxes, scores, 0.7, smaller=True)
    pick = sorted(pick, key=lambda i: -(boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1]))
    print("candidates", counts, "faces", len(pick), "margins", margin)
    return [
        {
            "box": [round(float(v), 3) for v in boxes[i]],
            "probability": round(float(scores[i]), 6),
            "landmarks": [round(float(v), 3) for pair in zip(px[i], py[i]) for v in pair],
        }
        for i in pick
    ]


def numbers(values):
    return [round(float(v), 7) for v in values]


if __name__ == "__main__":
    faces = {name: picture(name, 160, 160, 10) for name in ("face-0", "face-1")}
    x = torch.from_numpy(np.stack(list(faces.values()))).float().permute(0, 3, 1, 2)
    nets = torch.from_numpy(picture("nets", 96, 48, 4)).float().permute(2, 0, 1)[None]
    pairs = torch.cat([nets[..., :48], nets[..., 48:]])
    small = F.interpolate(pairs, (24, 24), mode="area")
    thresholds = [0.15, 0.7, 0.3]
    golden = {
        "comment": "made by make_goldens.py",
        "embeddings": {name: numbers(row[:64]) for name, row in zip(faces, inception(x))},
        "pnet": [numbers(t.flatten()) for t in p_net(nets[..., :37, :44])],
        "rnet": [numbers(t.flatten()) for t in r_net(small)],
        "onet": [numbers(t.flatten()) for t in o_net(pairs)],
        "cascade": {
            "width": 160,
            "height": 120,
            "minFaceSize": 24,
            "thresholds": thresholds,
            "faces": cascade(picture("scene", 160, 120, 8), 24, thresholds),
        },
    }
    with open(os.path.join(os.path.dirname(__file__), "seeded.json"), "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")
