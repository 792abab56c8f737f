import type { ACCESS as EN } from '../en/access.js';

/** Texts about what a key may do, and of `/keys`, in Japanese. */
export const ACCESS: typeof EN = {
  roles: { recognise: '認識のみ', enrol: '登録可', admin: '管理者' },
  keyMay: {
    recognise: 'このキーで使えるのは認識のみです。',
    enrol: 'このキーでは認識と登録ができます。',
    admin: 'このキーではすべての操作ができます。',
  },
  roleNeeded: {
    recognise: '',
    enrol: '人物を変更するには、登録できるキーでサインインしてください。',
    admin: 'この操作ができるのは管理者のみです。',
  },
  onlyInGroups: (groups) => `対象のグループ: ${groups}`,
  notForGroup: (groupid) => `このキーはグループ「${groupid}」には使えません。`,
  notForTied: 'このキーは一部のグループ専用のため、全グループに関わる操作はできません。',
  notWithThisKey: 'このキーでは利用できません',
  pageNeeds: {
    recognise: '',
    enrol: '登録するには、登録できるキーでサインインしてください。',
    admin: 'このページを利用できるのは管理者のみです。',
    keys: 'このページを利用できるのは、全グループの管理者のみです。',
    session: '',
  },
  toRecognition: '認識ページへ',
  notSignedOut: 'サインアウトできませんでした。',
  keys: 'キー',
};
