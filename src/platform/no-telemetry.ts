/**
 * ONNX Runtime looks up one of its maker's hosts, writes below `~/.cache/Microsoft` and leaves `/tmp/mat-debug-PID.log`
 * unless this is set before its library is loaded. So a process imports this file first; its threads and children
 * inherit the variable. A value that a user has set stays.
 */
// Not one of our settings: it is written, not read.
// eslint-disable-next-line no-restricted-properties
process.env.ORT_DISABLE_TELEMETRY ??= '1';
