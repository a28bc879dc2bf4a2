import { Cursor } from './cursor.ts';
import { DamageError } from './damage.ts';
import { recordsOf } from './log.ts';

/** What a database consists of. */
export interface Manifest {
  /** Logs with lower numbers are in tables by now. */
  readonly logNumber: number;
  /** All up to this one are in tables. Those of the logs go on from there, or from before. */
  readonly lastSequence: number;
  /** Their sizes in bytes, by their numbers. */
  readonly tables: ReadonlyMap<number, number>;
}

/** Reads the edits that a manifest is a log of, as LevelDB's db/version_edit.cc writes them. */
export function parseManifest(file: Buffer): Manifest {
  const manifest = { logNumber: 0, lastSequence: 0, tables: new Map<number, number>() };
  for (const record of recordsOf(file)) {
    const edit = new Cursor(record);
    while (!edit.isAtEnd) apply(edit, manifest);
  }
  return manifest;
}

function apply(
  edit: Cursor,
  manifest: { logNumber: number; lastSequence: number; tables: Map<number, number> },
) {
  const tag = edit.varint();
  switch (tag) {
    case 1: // the order of keys
      edit.slice();
      break;
    case 2:
      manifest.logNumber = edit.varint();
      break;
    case 3: // the next number of a file
    case 9: // the log before, which older versions have
      edit.varint();
      break;
    case 4:
      manifest.lastSequence = edit.varint();
      break;
    case 5: // where a compaction goes on
      edit.varint();
      edit.slice();
      break;
    case 6:
      edit.varint();
      manifest.tables.delete(edit.varint());
      break;
    case 7:
      edit.varint();
      manifest.tables.set(edit.varint(), edit.varint());
      edit.slice();
      edit.slice();
      break;
    default:
      throw new DamageError(`expected an edit of the manifest, got one of the kind ${tag}`);
  }
}
