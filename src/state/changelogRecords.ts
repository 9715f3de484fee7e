import type { ChangelogRecords } from '../core/changelogRecords.ts'
import { commitKey, generationOf, lineageKey } from './changelogKey.ts'
import { commitEntry, decodeCommit } from './commitRecord.ts'
import { decodeLineage, lineageEntry } from './lineageRecord.ts'

/** The records of a changelog beside the state, as this version writes and reads them. */
export const changelogRecords: ChangelogRecords = {
  lineage: lineageEntry,
  commit: commitEntry,
  factOf({ key, value }) {
    if (key.equals(commitKey)) return { kind: 'commit', record: decodeCommit(value) }
    if (key.equals(lineageKey)) return { kind: 'lineage', record: decodeLineage(value) }
    const generation = generationOf(key)
    return generation === null ? { kind: 'other' } : { kind: 'state', generation }
  },
}
