/** What we use of the package, which brings no types. */
declare module 'fs-native-extensions' {
  /**
   * Locks a whole file for this open handle alone; the lock ends with the handle.
   * @param fd opened for writing, and for a shared lock also for reading
   * @param options shared: together with others who share it
   * @returns false when another handle holds it
   */
  export function tryLock(fd: number, options?: { shared?: boolean }): boolean;
}
