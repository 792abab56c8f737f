import { inTurn } from '../logic/in-turn.js';
import { couldWait, messageOf } from './api.js';
import { confirmWith } from './dialog.js';
import { words } from './i18n.js';
import { changePerson, mergePeople, type Person, removePerson } from './people-api.js';
import type { Group } from './person-fields.js';
import { toast } from './toast.js';
import { doUnlessUndone, offerUndo } from './undo.js';

interface ChangesDeps {
  /** Takes people from the list, and puts the focus on the next one. */
  hide: (people: readonly Person[]) => void;
  /** They are gone, or to be shown again; told whom to put the focus on. */
  settle: (people: readonly Person[], focusOn?: string) => void;
  /** The list must be loaded again. */
  reload: () => void;
  /** Those stay chosen. */
  select: (people: readonly Person[]) => void;
}

/** Changes of people that can be undone. */
export function createPeopleChanges({ hide, settle, reload, select }: ChangesDeps) {
  /** Deletes after ten seconds; asks nothing. */
  function remove(people: readonly Person[]): void {
    let left = people;
    hide(people);
    doUnlessUndone({
      text:
        people.length === 1 ? words.personRemoved(people[0].username) : words.peopleRemoved(people.length),
      failed: () =>
        left.length === 1 ? words.personNotRemoved(left[0].username) : words.peopleNotRemoved(left.length),
      async run(leaving) {
        if (leaving) {
          // There is no time for one after another.
          await Promise.all(left.map(({ faceid }) => removePerson(faceid, true)));
          return;
        }
        const outcome = await inTurn(left, ({ faceid }) => removePerson(faceid, false), couldWait);
        left = outcome.left;
        if (left.length > 0) throw outcome.error;
      },
      settled: (how) => settle(people, how === 'undone' ? people[0].faceid : undefined),
    });
  }

  return {
    remove,

    /** Asks, then deletes after ten seconds. */
    async removeAll(people: readonly Person[]): Promise<void> {
      const pictures = people.reduce((sum, { faces }) => sum + faces, 0);
      const [first] = people;
      const text =
        people.length === 1
          ? words.removePersonAsk(first.username, pictures)
          : words.removePeopleAsk(people.length, pictures);
      if (!(await confirmWith(words.removePerson, text, { yes: words.remove, danger: true }))) return;
      select([]);
      remove(people);
    },

    /** Merges after ten seconds. */
    merge(into: Person, from: Person): void {
      hide([from]);
      doUnlessUndone({
        text: words.merged(from.username, into.username),
        failed: words.notMerged(from.username, into.username),
        run: (leaving) => mergePeople(into.faceid, from.faceid, leaving),
        settled: (how) => settle([from], how === 'undone' ? from.faceid : undefined),
      });
    },

    /** Moves at once; undone by moving back. Who could not be moved stays chosen. */
    async moveAll(people: readonly Person[], { groupid, groupname }: Group): Promise<void> {
      const movable = people.filter((person) => person.groupid !== groupid);
      const moved: { faceid: string; groupid: string }[] = [];
      const move = async (person: Person) => {
        const { faceid } = await changePerson(person.faceid, { groupid });
        moved.push({ faceid, groupid: person.groupid });
      };
      const { left, error } = await inTurn(movable, move, couldWait);
      select(left);
      reload();
      if (left.length > 0) {
        const text = `${words.peopleNotMoved(left.length, groupname)} ${messageOf(error)}`;
        toast(text, { kind: 'bad', time: Infinity });
      }
      if (moved.length === 0) return;
      let back = moved;
      offerUndo(words.peopleMoved(moved.length, groupname), async () => {
        const outcome = await inTurn(
          back,
          (each) => changePerson(each.faceid, { groupid: each.groupid }),
          couldWait,
        );
        back = outcome.left;
        reload();
        if (back.length > 0) throw outcome.error;
      });
    },
  };
}
