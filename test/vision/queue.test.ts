import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TaskQueue } from '../../src/vision/queue.js';

const task = (caller: string, name = '', alone = false) => ({ caller, name, alone });
type Task = ReturnType<typeof task>;
const names = (tasks: Task[]) => tasks.map(({ caller, name }) => caller + name);

describe('the queue of pictures', () => {
  it('takes one of each caller in turn, each caller’s in order', () => {
    const queue = new TaskQueue<Task>();
    for (const [caller, name] of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.push(task(caller, name));
    assert.equal(queue.length, 6);
    assert.deepEqual(names(queue.take(4)), ['a1', 'b1', 'c1', 'a2']);
    queue.push(task('d', '1'));
    assert.deepEqual(names(queue.take(9)), ['b2', 'a3', 'd1']);
    assert.deepEqual([queue.length, queue.take(1)], [0, []]);
  });

  it('takes alone what must be alone, and passes over callers who may not', () => {
    const queue = new TaskQueue<Task>();
    for (const one of [task('a', '1'), task('b', '1', true), task('c', '1')]) queue.push(one);
    assert.deepEqual(names(queue.take(3, (caller) => caller === 'c')), ['c1']);
    assert.deepEqual(names(queue.take(3)), ['a1']);
    assert.deepEqual(names(queue.take(3)), ['b1']);
  });

  it('forgets what is removed, and has first what is put back', () => {
    const queue = new TaskQueue<Task>();
    const [first, second, third] = [task('a', '1'), task('b', '1'), task('a', '2')];
    for (const one of [first, second, third]) queue.push(one);
    assert.ok(queue.remove(second));
    assert.ok(!queue.remove(second));
    assert.deepEqual(names(queue.take(1)), ['a1']);
    queue.push(second);
    queue.putBack([first, task('c', '1')]);
    assert.equal(queue.length, 4);
    assert.deepEqual(names(queue.take(4)), ['a1', 'c1', 'b1', 'a2']);
    queue.push(first);
    assert.deepEqual([names(queue.drain()), queue.length], [['a1'], 0]);
  });

  it('knows whose pictures take far longer than somebody else’s of the same time', () => {
    let now = 0;
    const queue = new TaskQueue<Task>(() => now);
    queue.took('photographs', 900);
    assert.ok(!queue.isSlow('photographs'), 'alone, nobody is slow');
    queue.took('camera', 30);
    assert.deepEqual([queue.isSlow('photographs'), queue.isSlow('camera')], [true, false]);
    // Given up early says little of how long it would have taken.
    for (let n = 0; n < 50; n++) queue.took('photographs', 1, true);
    assert.ok(queue.isSlow('photographs'));
    now = 10_001;
    assert.ok(!queue.isSlow('photographs'), 'the camera is off');
    for (let n = 0; n < 50; n++) queue.took('photographs', 31);
    queue.took('camera', 30);
    assert.ok(!queue.isSlow('photographs'), 'it sends others now');
  });

  it('has none who sends trifles make a camera wait behind photographs', () => {
    const queue = new TaskQueue<Task>();
    queue.took('trifles', 1);
    queue.took('camera', 30);
    queue.took('photographs', 900);
    const mayTakeLast = (caller: string, other: string) => queue.mayTakeLast(caller, [other]);
    assert.ok(mayTakeLast('camera', 'photographs'));
    assert.ok(mayTakeLast('trifles', 'camera'));
    for (const other of ['photographs', 'camera', 'trifles'])
      assert.ok(!mayTakeLast('photographs', other), other);
    assert.ok(!mayTakeLast('camera', 'camera'), 'trifles have a thread, too');
  });
});
