import { currentSession } from './api.js';

/** Whether this browser's key may enrol; false while the server does not answer. */
export async function mayEnrol(): Promise<boolean> {
  try {
    const { auth, role } = await currentSession();
    return auth === 'none' || role === 'enrol' || role === 'admin';
  } catch {
    return false;
  }
}
