/** Names of files in supported formats; Windows calls a JPEG saved by a browser `.jfif`. */
export const READABLE_NAME = /\.(?:jpe?g|jpe|jfif|jif|png|webp|avif|gif|tiff?)$/i;
/** Also unsupported ones, which are reported instead of skipped. */
export const PICTURE_NAME = new RegExp(`${READABLE_NAME.source}|${/\.(?:bmp|hei[cf]|jxl)$/.source}`, 'i');
