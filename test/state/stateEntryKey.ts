import { statePrefix } from '../../src/state/changelogKey.ts'

/** The changelog key of one state key of an operator. */
export function stateEntryKey(generation: number, uid: string, stateKey: Buffer): Buffer {
  return Buffer.concat([statePrefix(generation, uid), stateKey])
}
