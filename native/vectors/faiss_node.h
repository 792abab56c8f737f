// faiss-node as it is published, compiled against Debian's faiss.
#pragma once

#include <faiss/Index.h>
#include <napi.h>

// faiss 1.7.3 (Debian 12) has the name inside Index only; faiss-node is written against 1.7.4.
#if FAISS_VERSION_MAJOR == 1 && (FAISS_VERSION_MINOR < 7 || (FAISS_VERSION_MINOR == 7 && FAISS_VERSION_PATCH < 4))
namespace faiss {
using idx_t = Index::idx_t;
}
#endif

// Its own: sets its classes on the module's exports.
Napi::Object Init(Napi::Env env, Napi::Object exports);
