/** Names of files in formats that are read; `.jfif` is what Windows calls a JPEG that a browser saved. */
export const READABLE_NAME = /\.(?:jpe?g|jpe|jfif|jif|png|webp|avif|gif|tiff?)$/i;
/** And of pictures that are not: to be named instead of passed over. */
export const PICTURE_NAME = new RegExp(`${READABLE_NAME.source}|${/\.(?:bmp|hei[cf]|jxl)$/.source}`, 'i');
