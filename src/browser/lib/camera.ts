import { recall, remember } from './dom.js';

/** Why there is no picture. */
export type CameraTrouble = 'refused' | 'busy' | 'missing' | 'insecure' | 'ended';

export class CameraError extends Error {
  override readonly name = 'CameraError';
  constructor(readonly trouble: CameraTrouble) {
    super(`The camera is not to be had: ${trouble}.`);
  }
}

/** `front`, `back` or the ID of a device. */
export type CameraChoice = string;

export interface OpenCamera {
  stream: MediaStream;
  /** Shown as in a mirror: it looks at who looks at the page. */
  mirrored: boolean;
  deviceId: string;
}

/** The camera that was chosen last in this browser. */
export function rememberedChoice(): CameraChoice {
  return recall('camera') ?? 'front';
}

export function rememberChoice(choice: CameraChoice): void {
  remember('camera', choice);
}

/** The cameras there are; their names are empty until one was opened. */
export async function listCameras(): Promise<MediaDeviceInfo[]> {
  if (!hasCameras()) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId !== '');
}

/** Browsers leave `mediaDevices` out on pages that are not secure. */
function hasCameras(): boolean {
  return 'mediaDevices' in navigator;
}

/**
 * Opens a camera; a remembered device that is gone gives way to any other.
 * @throws CameraError
 */
export async function openCamera(choice: CameraChoice): Promise<OpenCamera> {
  if (!hasCameras()) throw new CameraError('insecure');
  const wish: MediaTrackConstraints =
    choice === 'front' || choice === 'back'
      ? { facingMode: choice === 'front' ? 'user' : 'environment' }
      : { deviceId: { exact: choice } };
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { ...wish, ...size }, audio: false });
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    const isGone = name === 'OverconstrainedError' || name === 'NotFoundError';
    if (isGone && choice !== 'front' && choice !== 'back') return openCamera('front');
    throw new CameraError(troubleOf(name));
  }
  const settings = stream.getVideoTracks().at(0)?.getSettings() ?? {};
  const facesBack = settings.facingMode === 'environment' || (!settings.facingMode && choice === 'back');
  return { stream, mirrored: !facesBack, deviceId: settings.deviceId ?? '' };
}

function troubleOf(name: string): CameraTrouble {
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'refused';
  if (name === 'NotReadableError' || name === 'AbortError') return 'busy';
  return 'missing';
}
