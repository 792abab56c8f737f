// faiss-node's one source file, without its last line, which would make a module of it alone: vectors.cc makes one of its
// classes and ours.
#include "faiss_node.h"

#undef NODE_API_MODULE
#define NODE_API_MODULE(name, init)
#include <faiss-node/src/faiss.cc>
