/** What a camera may be called by a caller; part of a key in Redis (docs/detections.md). */
export const DEVICE_ID = /^[0-9A-Za-z_.:-]{0,64}$/;
