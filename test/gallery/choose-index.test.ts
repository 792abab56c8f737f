import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { loadConfig } from '../../src/settings/config.js';
import { KaomonError } from '../../src/platform/errors.js';
import { chooseIndex } from '../../src/gallery/index/choose.js';
import { faissRefusal } from '../../src/gallery/index/faiss-addon.js';

const refusal = faissRefusal();

function kindOf(t: TestContext, env: Record<string, string>): string {
  const index = chooseIndex(loadConfig(env), 8, () => undefined);
  t.after(() => index.close());
  return index.kind;
}

describe('the setting INDEX', () => {
  it('takes our own index or the one of ONNX Runtime wherever the server runs', (t) => {
    assert.equal(kindOf(t, { INDEX: 'exact' }), 'exact');
    assert.equal(kindOf(t, { INDEX: 'onnx' }), 'onnx');
  });

  it('takes faiss when it was compiled', { skip: refusal ?? false }, (t) => {
    for (const INDEX of ['auto', 'flat', 'ivfflat']) assert.equal(kindOf(t, { INDEX }), 'flat');
  });

  it(
    'says what to do when faiss is asked for and was not compiled, and does without it otherwise',
    { skip: refusal ? false : 'faiss was compiled here' },
    (t) => {
      assert.equal(kindOf(t, {}), 'onnx');
      const asked = () => chooseIndex(loadConfig({ INDEX: 'flat' }), 8, () => undefined);
      assert.throws(
        asked,
        (error: unknown) => error instanceof KaomonError && error.message.includes('npm run setup'),
      );
    },
  );
});
