/** Texts of the camera, in English. */
export const CAMERA = {
  camera: 'Camera',
  frontCamera: 'Front camera',
  backCamera: 'Back camera',
  cameraNumber: (n: number) => `Camera ${n}`,
  cameraRefusedTitle: 'The camera is blocked',
  cameraRefused:
    'This page may not use the camera. Allow it in the address bar (the camera or lock icon), then try again.',
  cameraBusyTitle: 'The camera is in use',
  cameraBusy: 'Another program is using the camera. Close it, then try again.',
  cameraMissingTitle: 'No camera',
  cameraMissing: 'No camera was found. Connect one, then try again.',
  notSecureTitle: 'This address is not secure',
  notSecure: 'Browsers allow the camera on https:// pages only. Open this page at its https:// address.',
  cameraEndedTitle: 'The camera was disconnected',
  cameraEnded: 'The camera was unplugged or switched off. Connect it, then try again.',
};
