import { availableParallelism } from 'node:os';
import { Type } from 'typebox';
import { ACCESS_SETTINGS } from './access.js';
import { CALLER_SETTINGS } from './callers.js';
import { MILVUS_SETTINGS } from './milvus.js';
import { NOTICE_SETTINGS } from './notices.js';
import { PRIVACY_SETTINGS } from './privacy.js';
import { SHARING_SETTINGS } from './sharing.js';
import { SIGHTING_SETTINGS } from './sightings.js';

const folder = (name: string, description: string) =>
  Type.String({ default: name, minLength: 1, description });
const flag = (value: boolean, description: string) => Type.Boolean({ default: value, description });

const degrees = (value: number, description: string) =>
  Type.Number({ default: value, minimum: 0, maximum: 180, description });

/** The usual variables. */
const proxy = (description: string) => Type.String({ default: '', description });

/**
 * Every setting, with its default and bounds; config.ts alone reads them from the environment. `docs/settings.md` is
 * written from it.
 */
export const SettingsSchema = Type.Object({
  HOST: Type.String({ default: '0.0.0.0', minLength: 1, description: 'Address to listen on.' }),
  PORT: Type.Integer({ default: 8443, minimum: 0, maximum: 65535, description: 'Port; 0 takes a free one.' }),
  TLS: flag(
    true,
    'Serve HTTPS. Turn it off only behind a proxy that does: browsers allow only HTTPS pages to use a camera.',
  ),
  TLS_CERT: Type.String({
    default: '',
    description:
      'Certificate file (PEM). Empty: a self-signed one is made, in `CACHE_DIR/tls` (docs/access.md).',
  }),
  TLS_KEY: Type.String({ default: '', description: 'Key of `TLS_CERT` (PEM).' }),
  MODELS_DIR: folder('models', 'Folder of the networks.'),
  EMBEDDINGS_DIR: folder('embeddings', 'Folder of the gallery.'),
  CACHE_DIR: folder('cache', 'Folder of what can be made again.'),
  MODEL_PACK: Type.String({
    default: 'auto',
    pattern: /^[a-z0-9][a-z0-9+._-]{0,63}$/.source,
    description:
      '`auto` (the pack that people are enrolled with; where nobody is, the best that can be had), `facenet`, `mtcnn+fr`, `mtcnn+faceapi-chip`, `faceapi-chip`, `mtcnn+faceapi`, `faceapi` or the name of a pack of your own.',
  }),
  MODEL_MIRROR: Type.String({
    default: '',
    pattern: /^(https?:\/\/.+)?$/.source,
    description: 'Address used instead of `https://github.com` when weights are fetched.',
  }),
  HTTPS_PROXY: proxy('Proxy for fetching weights from `https:` addresses.'),
  HTTP_PROXY: proxy('Proxy for fetching weights from `http:` addresses.'),
  NO_PROXY: proxy('Hosts that are reached without the proxy, separated by commas.'),
  IDENTICAL_DISTANCE: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 4,
      description:
        'Fixes the threshold: a face is named below this squared L2 distance. Unset: `FALSE_NAMES` and the number of enrolled faces decide, or the pack itself where it was not measured.',
    }),
  ),
  FALSE_NAMES: Type.Number({
    default: 0.01,
    minimum: 1e-6,
    maximum: 0.5,
    description:
      'Part of the strangers that may wrongly get a name; the threshold follows it as faces are added and removed (docs/thresholds.md).',
  }),
  MIN_FACE_SIZE: Type.Integer({
    default: 20,
    minimum: 12,
    maximum: 4096,
    description: 'Shorter side of the smallest face to detect, pixels.',
  }),
  MIN_ENROL_SIZE: Type.Integer({
    default: 40,
    minimum: 12,
    maximum: 4096,
    description: 'Shorter side of the smallest face to enrol, pixels.',
  }),
  MIN_SHARPNESS: Type.Number({
    default: 6,
    minimum: 0,
    maximum: 100_000,
    description: 'Least sharpness of a face to enrol (docs/quality.md); 0 takes any.',
  }),
  MAX_YAW: degrees(65, 'Most that a face to enrol may be turned to a side, degrees; 180 takes any.'),
  MAX_PITCH: degrees(45, 'Most that a face to enrol may look up or down, degrees; 180 takes any.'),
  MAX_ROLL: degrees(40, 'Most that a face to enrol may be tilted, degrees; 180 takes any.'),
  DOUBLE_REGISTRATION_SECONDS: Type.Integer({
    default: 5,
    minimum: 0,
    maximum: 3600,
    description:
      "With maiface's `/api/face_register`: a second picture of a person within so many seconds is refused as a double click; 0: never. All other ways to enrol accept several pictures of a person in a row.",
  }),
  ...CALLER_SETTINGS,
  FETCH_URLS: flag(
    false,
    'Fetch pictures from addresses in requests (http and https, public networks only).',
  ),
  FETCH_PORTS: Type.String({
    default: '80,443',
    pattern: /^[1-9]\d{0,4}(?:,[1-9]\d{0,4})*$/.source,
    description: 'With `FETCH_URLS`: allowed ports, separated by commas.',
  }),
  MAX_PIXELS: Type.Integer({
    default: 25_000_000,
    minimum: 10_000,
    maximum: 268_000_000,
    description: 'Largest picture, pixels; checked before it is decoded.',
  }),
  VISION_THREADS: Type.Integer({
    default: Math.max(1, Math.min(4, availableParallelism())),
    minimum: 1,
    maximum: 64,
    description: 'Threads that run the networks; on WebGPU one. Default: the cores, 4 at most.',
  }),
  VISION_BATCH: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 32,
    description:
      'Waiting pictures that a vision thread takes at once, so that their faces are embedded together. 0: 1 on a CPU, where more gain nothing, 4 on a GPU.',
  }),
  DETECTOR_KERNELS: Type.Union(
    [
      Type.Literal('auto'),
      Type.Literal('onnx'),
      Type.Literal('avx512'),
      Type.Literal('avx2'),
      Type.Literal('neon'),
      Type.Literal('plain'),
    ],
    {
      default: 'auto',
      description:
        'What runs MTCNN on a CPU: loops of our own for the registers that are named (`auto`: the widest of this machine), or ONNX Runtime (`onnx`), which serves as well where they cannot be had.',
    },
  ),
  VISION_QUEUE: Type.Integer({
    default: 64,
    minimum: 1,
    maximum: 10_000,
    description: 'Pictures that may wait for a vision thread before callers are told 503.',
  }),
  STREAM_ORIGINS: Type.String({
    default: '',
    pattern: /^(https?:\/\/[^,/]+(,https?:\/\/[^,/]+)*)?$/.source,
    description: 'Origins whose pages may open a stream besides our own, separated by commas.',
  }),
  STREAM_MIN_FACE_SIZE: Type.Integer({
    default: 40,
    minimum: 12,
    maximum: 4096,
    description:
      '`MIN_FACE_SIZE` of streams, until a client asks for another; with MTCNN each doubling quarters the work.',
  }),
  EXECUTION_PROVIDERS: Type.String({
    default: 'cpu',
    pattern: /^[a-z]+(,[a-z]+)*$/.source,
    description:
      'ONNX Runtime providers in order of preference: `cuda,webgpu,cpu`. The first on which every network gives correct results is used.',
  }),
  EMBEDDER_PRECISION: Type.Union([Type.Literal('float32'), Type.Literal('float16'), Type.Literal('int8')], {
    default: 'float32',
    description:
      'Numbers that the embedder computes with. `int8`: half the time on a CPU, made by `npm run models -- --int8 PICTURES`; `float16`: for a GPU.',
  }),
  NETWORK_THREADS: Type.Integer({
    default: Math.max(1, Math.min(4, availableParallelism())),
    minimum: 1,
    maximum: 64,
    description:
      'Threads inside one run of a network, so that a single picture uses the whole machine. Default: the cores, 4 at most.',
  }),
  GPU_DEVICE_ID: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 63,
    description: 'Which GPU the provider `cuda` takes; 0 is the first.',
  }),
  KEEP_FACES: flag(
    false,
    'Keep the picture of each enrolled face beside its embedding, so that it can be embedded again with another pack.',
  ),
  AUTO_ENROL: flag(false, 'Add a face that is identified beyond doubt to its person (docs/auto-enrol.md).'),
  SAVE_DISTANCE: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 4,
      description:
        'With `AUTO_ENROL`: only a face nearer than this squared L2 distance to one that was enrolled by hand. Unset: the distance in force of "sure".',
    }),
  ),
  SAVE_INTERVAL: Type.Number({
    default: 2,
    minimum: 0,
    maximum: 36_500,
    description: "With `AUTO_ENROL`: days until a person's newest face is old enough for another one.",
  }),
  SAVE_MINIMUM: Type.Integer({
    default: 2,
    minimum: 0,
    maximum: 1000,
    description: 'With `AUTO_ENROL`: people with fewer faces get another one at once.',
  }),
  SAVE_MAXIMUM: Type.Integer({
    default: 10,
    minimum: 0,
    maximum: 10_000,
    description: 'With `AUTO_ENROL`: the most faces that are saved automatically for one person.',
  }),
  ENABLE_DETECT_DB: flag(
    false,
    'Write who was recognised to Redis: the list `<deviceid>_<faceid>` of distances, as maiface does.',
  ),
  DETECT_EXPIRE: Type.Integer({
    default: 3,
    minimum: 1,
    maximum: 31_536_000,
    description: 'With `ENABLE_DETECT_DB`: seconds after the last result until a list is gone.',
  }),
  DETECT_IDX: Type.Integer({
    default: 2,
    minimum: 0,
    maximum: 1_000_000,
    description: 'With `ENABLE_DETECT_DB`: number of the Redis database.',
  }),
  ...SIGHTING_SETTINGS,
  ...PRIVACY_SETTINGS,
  COMPREFACE_GROUP: Type.String({
    default: 'default',
    pattern: /^[0-9A-Za-z_][0-9A-Za-z_.]{0,63}$/.source,
    description:
      'Group whose people are the subjects of the CompreFace-compatible addresses; a key for a single group uses that one.',
  }),
  INDEX: Type.Union(
    [
      Type.Literal('auto'),
      Type.Literal('flat'),
      Type.Literal('ivfflat'),
      Type.Literal('onnx'),
      Type.Literal('exact'),
      Type.Literal('milvus'),
    ],
    {
      default: 'auto',
      description:
        '`flat` (faiss, exact), `ivfflat` (faiss, lists from 10,000 faces on), `onnx` (exact, by ONNX Runtime on `EXECUTION_PROVIDERS`), `exact` (our own, on the main thread: for small galleries), `milvus` (a gallery larger than a machine, docs/scale.md) or `auto`: `flat`, from 300,000 faces on `ivfflat`, `onnx` where faiss was not compiled. Over a snapshot (`SNAPSHOTS`) its own files are searched instead, exactly with `flat`, else from 50,000 faces on by lists of 8-bit codes; `onnx` and `exact` are never over one.',
    },
  ),
  ...ACCESS_SETTINGS,
  WORKERS: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 1024,
    description:
      'Workers that serve together; `ecosystem.config.js` starts so many and passes the number to each.',
  }),
  ...SHARING_SETTINGS,
  ...MILVUS_SETTINGS,
  ...NOTICE_SETTINGS,
  LOG_LEVEL: Type.Union(
    (['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const).map((level) =>
      Type.Literal(level),
    ),
    { default: 'info', description: 'How much is logged: lines of this level and the more severe ones.' },
  ),
});
