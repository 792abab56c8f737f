/**
 * ONNX Runtime looks up a host of its maker, writes below `~/.cache/Microsoft` and leaves `/tmp/mat-debug-PID.log` unless
 * this is set before its library is loaded. So a process imports this file before everything else; its threads and
 * children have it from there. Whoever sets another value keeps it.
 */
// Written, not read: it is no setting of ours.
// eslint-disable-next-line no-restricted-properties
process.env.ORT_DISABLE_TELEMETRY ??= '1';
