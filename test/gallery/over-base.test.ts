/** What holds for a gallery in memory holds for one whose people are all in a base: the same tests. */
import { putOverBases } from '../support/galleries.js';

putOverBases();
await import('./gallery.test.js');
await import('./operations.test.js');
await import('./searched.test.js');
await import('./followed-moves.test.js');
await import('./templates.test.js');
await import('./across-packs.test.js');
await import('./damaged.test.js');
