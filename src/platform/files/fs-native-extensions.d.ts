/** What we use of the package, which brings no types. */
declare module 'fs-native-extensions' {
  /**
   * Locks a whole file for this open handle alone; the lock ends with the handle.
   * @param fd opened for writing
   * @returns false when another handle holds it
   */
  export function tryLock(fd: number): boolean;
}
