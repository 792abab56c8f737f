import type { Services } from '../services.js';
import { type Collections, createCollections } from './collections.js';
import { similarityOf } from './similarity.js';

/** What the surface's routes work with besides the services. */
export interface CompreFaceContext extends Services {
  collections: Collections;
  /** Squared L2 distance -> CompreFace's similarity. */
  similarity: (distance: number) => number;
}

export function createContext(services: Services): CompreFaceContext {
  return { ...services, collections: createCollections(services), similarity: similarityOf(services.pack) };
}
