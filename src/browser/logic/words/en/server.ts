/** Texts of the connection to the server, in English. */
export const SERVER = {
  serverBusyTitle: 'The server is busy',
  serverBusy: 'It is getting more pictures than it can process. This page continues by itself in a moment.',
  serverGoneTitle: 'The server does not answer',
  serverGone: 'It may be restarting. This page continues by itself when it is back.',
  serverBack: 'The server is back.',
};
