/** Says of a row of `sighting` that the group's vectors are others now. */
const changed = (row: 'OLD' | 'NEW') => `
  UPDATE unknown_state SET rev = rev + 1;
  UPDATE unknown SET sum = NULL, rev = (SELECT rev FROM unknown_state)
    WHERE id = CAST(substr(${row}.unknown, 3) AS INTEGER);`;

/**
 * `unknown` is a stranger: a group of sightings, whose `unknown` is `u-` and the ID. `sum` is that of their vectors, by
 * which others are compared with it. Triggers erase it at once when one of the sightings goes, whoever deletes it: what is
 * left of a face that has been erased must not be found here. It is made again from those that are left when it is needed
 * (grouping.ts). By `rev` the workers of a machine learn what the others did. A group that was joined with another stays as
 * a row that says with which. What can be undone is forgotten with the last sighting of the person whom it is about, and
 * follows the person who gets another faceid.
 */
export const UNKNOWNS = {
  name: 'unknowns',
  steps: [
    `CREATE TABLE unknown_state (rev INTEGER NOT NULL);
     INSERT INTO unknown_state VALUES (0);
     CREATE TABLE unknown (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       rev INTEGER NOT NULL,
       last INTEGER NOT NULL,
       sum BLOB,
       faces INTEGER NOT NULL DEFAULT 0,
       is_ignored INTEGER NOT NULL DEFAULT 0,
       part_of INTEGER
     );
     CREATE INDEX unknown_rev ON unknown (rev);
     CREATE INDEX unknown_last ON unknown (is_ignored, last, id);
     CREATE TABLE unknown_placed (
       sighting INTEGER PRIMARY KEY REFERENCES sighting (id) ON DELETE CASCADE,
       score REAL NOT NULL
     );
     CREATE TABLE unknown_undo (
       token TEXT PRIMARY KEY,
       at INTEGER NOT NULL,
       kind TEXT NOT NULL,
       unknown INTEGER NOT NULL,
       faceid TEXT,
       is_new INTEGER NOT NULL DEFAULT 0,
       faces TEXT NOT NULL DEFAULT '[]',
       sightings TEXT NOT NULL DEFAULT '[]'
     ) WITHOUT ROWID;
     CREATE INDEX unknown_undo_faceid ON unknown_undo (faceid);
     CREATE TRIGGER unknown_sighting_gone AFTER DELETE ON sighting WHEN OLD.unknown IS NOT NULL BEGIN
       ${changed('OLD')}
     END;
     CREATE TRIGGER unknown_sighting_left AFTER UPDATE OF unknown ON sighting
     WHEN OLD.unknown IS NOT NULL AND NEW.unknown IS NOT OLD.unknown BEGIN
       ${changed('OLD')}
     END;
     CREATE TRIGGER unknown_sighting_came AFTER UPDATE OF unknown ON sighting
     WHEN NEW.unknown IS NOT NULL AND NEW.unknown IS NOT OLD.unknown BEGIN
       ${changed('NEW')}
     END;
     CREATE TRIGGER unknown_person_gone AFTER DELETE ON sighting
     WHEN OLD.faceid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sighting WHERE faceid = OLD.faceid) BEGIN
       DELETE FROM unknown_undo WHERE faceid = OLD.faceid;
     END;
     CREATE TRIGGER unknown_person_moved AFTER UPDATE OF faceid ON sighting
     WHEN OLD.faceid IS NOT NULL AND NEW.faceid IS NOT NULL AND NEW.faceid <> OLD.faceid
       AND NOT EXISTS (SELECT 1 FROM sighting WHERE faceid = OLD.faceid) BEGIN
       UPDATE unknown_undo SET faceid = NEW.faceid WHERE faceid = OLD.faceid;
     END;`,
  ],
} as const;
