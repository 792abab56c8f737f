import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cellAfter } from '../../../src/browser/logic/grid-keys.js';
import { inTurn } from '../../../src/browser/logic/in-turn.js';
import { readView, writeView } from '../../../src/browser/logic/people-view.js';

describe('the address of the page of people', () => {
  it('says what is shown, both ways, and leaves out what goes without saying', () => {
    const query = '?search=%E4%BD%90%E8%97%A4&group=staff&pictures=none&sort=newest&page=3&person=staff-ada';
    assert.equal(writeView(readView(query)), query);
    assert.equal(writeView(readView('?sort=name&page=1')), '');
  });
  it('takes nonsense as not there', () => {
    for (const query of [
      '?page=0',
      '?page=-2',
      '?page=x',
      '?page=1e300',
      '?page=2.5',
      '?sort=id',
      '?pictures=all',
    ])
      assert.equal(writeView(readView(query)), '', query);
  });
});

describe('arrow keys in a grid', () => {
  const grid = { count: 7, columns: 3 };
  it('go to the neighbour, and to the end of a shorter last row', () => {
    const from = (key: string, at: number) => cellAfter(key, at, grid);
    assert.deepEqual([from('ArrowRight', 2), from('ArrowLeft', 3), from('ArrowDown', 0)], [3, 2, 3]);
    assert.deepEqual(
      [from('ArrowDown', 5), from('ArrowUp', 6), from('End', 0), from('Home', 6)],
      [6, 3, 6, 0],
    );
  });
  it('do not leave it', () => {
    for (const [key, at] of [
      ['ArrowLeft', 0],
      ['ArrowUp', 2],
      ['ArrowRight', 6],
      ['ArrowDown', 6],
      ['x', 3],
    ] as const)
      assert.equal(cellAfter(key, at, grid), undefined, key);
  });
});

describe('several in turn', () => {
  const run = (item: number) =>
    item % 2 === 0 ? Promise.reject(new Error(String(item))) : Promise.resolve();
  it('goes on after a refusal, and tells who is left', async () => {
    const { done, left, error } = await inTurn([1, 2, 3, 4, 5], run, () => false);
    assert.deepEqual(
      [done, left],
      [
        [1, 3, 5],
        [2, 4],
      ],
    );
    assert.equal((error as Error).message, '2');
  });
  it('stops where the others would fail, too', async () => {
    const { done, left } = await inTurn([1, 2, 3], run, () => true);
    assert.deepEqual([done, left], [[1], [2, 3]]);
  });
});
