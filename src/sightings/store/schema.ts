import { UNKNOWNS } from '../unknowns/schema.js';

/**
 * The tables. Each part of the program has its own, with steps that follow each other: a step that has been released is
 * never changed, another one is added. Every step runs once a file.
 */
export interface SchemaPart {
  name: string;
  /** SQL, one or several statements each. */
  steps: readonly string[];
}

/**
 * `part` is what a worker saw of a visit that is still open (types.ts): a sighting is made from its parts, and they go
 * some time after it is over. `gone_part`: what is still written of a sighting that has been deleted is not kept.
 * `best` stands apart so that a list reads no pictures. `told`: bits, see write.ts.
 */
const SIGHTINGS: SchemaPart = {
  name: 'sightings',
  steps: [
    `CREATE TABLE sighting (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       deviceid TEXT NOT NULL,
       first INTEGER NOT NULL,
       last INTEGER NOT NULL,
       frames INTEGER NOT NULL,
       fits INTEGER NOT NULL,
       faceid TEXT,
       groupid TEXT,
       distance REAL,
       odds REAL,
       odds_at_most INTEGER NOT NULL DEFAULT 0,
       score REAL NOT NULL DEFAULT -1,
       size REAL, sharpness REAL, yaw REAL, pitch REAL, roll REAL,
       unknown TEXT,
       has_picture INTEGER NOT NULL DEFAULT 0,
       is_settled INTEGER NOT NULL DEFAULT 0,
       is_open INTEGER NOT NULL DEFAULT 1,
       told INTEGER NOT NULL DEFAULT 0
     );
     CREATE INDEX sighting_last ON sighting (last, id);
     CREATE INDEX sighting_people ON sighting (last, id) WHERE faceid IS NOT NULL;
     CREATE INDEX sighting_strangers ON sighting (last, id) WHERE faceid IS NULL;
     CREATE INDEX sighting_faceid ON sighting (faceid, last, id);
     CREATE INDEX sighting_groupid ON sighting (groupid, last, id);
     CREATE INDEX sighting_deviceid ON sighting (deviceid, last, id);
     CREATE INDEX sighting_unknown ON sighting (unknown, last, id) WHERE unknown IS NOT NULL;
     CREATE INDEX sighting_open ON sighting (deviceid) WHERE is_open = 1;
     CREATE TABLE best (
       sighting INTEGER PRIMARY KEY REFERENCES sighting (id) ON DELETE CASCADE,
       vector BLOB NOT NULL,
       crop BLOB
     );
     CREATE TABLE part (
       uid TEXT PRIMARY KEY,
       sighting INTEGER NOT NULL REFERENCES sighting (id) ON DELETE CASCADE,
       first INTEGER NOT NULL,
       last INTEGER NOT NULL,
       frames INTEGER NOT NULL,
       fits INTEGER NOT NULL,
       votes TEXT NOT NULL,
       nobody REAL NOT NULL,
       is_ended INTEGER NOT NULL,
       written INTEGER NOT NULL
     ) WITHOUT ROWID;
     CREATE INDEX part_sighting ON part (sighting);
     CREATE TABLE gone_part (uid TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
     CREATE TABLE happening (
       seq INTEGER PRIMARY KEY AUTOINCREMENT,
       at INTEGER NOT NULL,
       kind TEXT NOT NULL,
       sighting INTEGER NOT NULL
     );
     CREATE INDEX happening_sighting ON happening (sighting);`,
  ],
};

/** What sightings were before somebody said "not this person": to take it back. Nobody is named in it. */
const CORRECTIONS: SchemaPart = {
  name: 'corrections',
  steps: [
    `CREATE TABLE corrected (
       sighting INTEGER PRIMARY KEY REFERENCES sighting (id) ON DELETE CASCADE,
       correction TEXT NOT NULL,
       distance REAL,
       odds REAL,
       odds_at_most INTEGER NOT NULL
     );
     CREATE INDEX corrected_correction ON corrected (correction);`,
  ],
};

/**
 * Up to which of the changes that machines share this file is; `mark` is that change's own, by which one that Redis has lost
 * is told from the one in its place. `generation` grows when the whole file was replaced: what was kept in memory of it is
 * wrong then. `passed`: the places before, too (shared/place.ts).
 */
const REPLICA: SchemaPart = {
  name: 'replica',
  steps: [
    `CREATE TABLE replica (position INTEGER NOT NULL, mark TEXT NOT NULL, generation INTEGER NOT NULL);
     INSERT INTO replica VALUES (0, '', 0);`,
    `CREATE TABLE passed (position INTEGER PRIMARY KEY, mark TEXT NOT NULL);
     INSERT INTO passed SELECT position, mark FROM replica WHERE position > 0;`,
  ],
};

/** In this order. */
export const SCHEMA: readonly SchemaPart[] = [SIGHTINGS, UNKNOWNS, CORRECTIONS, REPLICA];
