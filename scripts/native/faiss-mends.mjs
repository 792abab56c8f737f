/**
 * What is changed in faiss-node 0.5.1's source before it is compiled here. Each mend says why, and must apply
 * exactly as often as it says: a new version of the package is looked at by a person, not patched blindly.
 */

/** Raised whenever a mend changes, so that an older binary is compiled anew; exported as `kaomonMended`. */
export const MENDS_VERSION = 2;

/** @type {{why: string, find: RegExp, replace: string, times: number}[]} */
const MENDS = [
  {
    why: 'add, train and search take a Float32Array too: 100,000 vectors as plain numbers are 400 MB',
    find: /if \(!info\[0\]\.IsArray\(\)\)(?=[\s\S]*?Napi::Value removeIds)/g,
    replace: 'if (!kaomon::isFloats(info[0]))',
    times: 3,
  },
  {
    why: 'their numbers are owned by the scope',
    find: /Napi::Array arr = info\[0\]\.As<Napi::Array>\(\);\s*size_t length = arr\.Length\(\);(?=\s*auto dv)/g,
    replace: 'kaomon::Floats floats(info[0]);\n    size_t length = floats.length;',
    times: 3,
  },
  {
    why: 'search never freed its query (2 KB a call at 512 numbers), the others not after an error',
    find: /float \*(x[bq]) = new float\[length\];\s*for \([\s\S]*?FloatValue\(\);\s*\}/g,
    replace: 'const float *$1 = floats.data;',
    times: 3,
  },
  {
    why: 'nothing is left to free after add and train',
    find: /(index_->(?:add|train)\(dv\.quot, xb\);)\s*delete\[\] xb;/g,
    replace: '$1',
    times: 2,
  },
  {
    why: 'the results were lost when faiss threw',
    find: /idx_t \*I = new idx_t\[k \* nq\];\s*float \*D = new float\[k \* nq\];/g,
    replace: 'std::vector<idx_t> I(k * nq);\n    std::vector<float> D(k * nq);',
    times: 1,
  },
  {
    why: 'as above',
    find: /index_->search\(nq, xq, k, D, I\);/g,
    replace: 'index_->search(nq, xq, k, D.data(), I.data());',
    times: 1,
  },
  { why: 'as above', find: /delete\[\] I;\s*delete\[\] D;/g, replace: '', times: 1 },
  {
    why: 'fromBuffer kept a copy of the whole index for ever, and made a second one on the way',
    find: /auto buffer = Napi::Buffer<uint8_t>::Copy\(env, [^\n]*\);\s*faiss::VectorIOReader \*reader = new faiss::VectorIOReader\(\);/g,
    replace:
      'auto buffer = info[0].As<Napi::Buffer<uint8_t>>();\n    faiss::VectorIOReader scoped;\n    faiss::VectorIOReader *reader = &scoped;',
    times: 1,
  },
  {
    why: 'toBuffer kept a copy of the whole index for ever',
    find: /faiss::VectorIOWriter \*writer = new faiss::VectorIOWriter\(\);/g,
    replace: 'faiss::VectorIOWriter scoped;\n    faiss::VectorIOWriter *writer = &scoped;',
    times: 1,
  },
  {
    why: 'our wrapper searches on a binary that says it is mended, and on no other, and by the class that we add',
    find: /(IndexFlatIP::Init\(env, exports\);\s*)return exports;/g,
    replace: `$1exports.Set("kaomonMended", Napi::Number::New(env, ${MENDS_VERSION}));\n  kaomon::Vectors::Init(env, exports);\n\n  return exports;`,
    times: 1,
  },
];

/**
 * @param {string} source faiss-node's `src/faiss.cc`
 * @returns {string} the source to compile
 * @throws {Error} naming the mend that does not fit this source
 */
export function mendFaissNode(source) {
  return MENDS.reduce((text, { why, find, replace, times }) => {
    const found = text.match(find)?.length ?? 0;
    if (found !== times)
      throw new Error(`faiss-node has changed: "${why}" fits ${found} places, not ${times}.`);
    return text.replace(find, replace);
  }, source);
}
