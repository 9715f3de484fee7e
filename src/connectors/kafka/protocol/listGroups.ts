import { TidemarkError } from '../../../core/errors.ts'
import type { KafkajsBroker } from '../kafkajs.ts'
import { BrokerRefusal } from '../kafkaErrors.ts'
import { kafkaError } from './errorCodes.ts'
import { sendRaw } from './rawRequest.ts'
import type { ResponseReader } from './responseReader.ts'

export interface ListedGroup {
  readonly groupId: string
  /** `consumer` for groups of consumers of every kind. */
  readonly protocolType: string
  /** `Classic`, `Consumer`, `Share`, `Streams`. */
  readonly type: string
}

/** The first version that tells a group's type; brokers without it have classic groups only. */
const api = { key: 16, version: 5, name: 'ListGroups' }

/**
 * The groups that this broker coordinates and this user may see, those in one of these states (none named: in any). None
 * where it cannot tell their types.
 */
export async function requestGroups(
  broker: KafkajsBroker,
  states: readonly string[] = [],
): Promise<readonly ListedGroup[]> {
  if ((broker.versions?.[api.key]?.maxVersion ?? 0) < api.version) return []
  const { error, groups } = await sendRaw(
    broker,
    api,
    // Tagged fields of the header, the states, no filter by type, tagged fields of the body: the "flexible" encoding, in
    // which a length below 127 is one byte, and one too high.
    (writer) => {
      writer.int8(0).int8(states.length + 1)
      for (const state of states) {
        writer.int8(state.length + 1)
        for (const letter of Buffer.from(state, 'ascii')) writer.int8(letter)
      }
      writer.int8(1).int8(0)
    },
    (reader) => {
      reader.int8()
      reader.int32()
      const code = reader.int16()
      const count = unsignedVarint(reader) - 1
      const found: ListedGroup[] = []
      for (let index = 0; index < count; index += 1) {
        const groupId = compactString(reader)
        const protocolType = compactString(reader)
        compactString(reader)
        found.push({ groupId, protocolType, type: compactString(reader) })
        if (unsignedVarint(reader) !== 0)
          throw new TidemarkError('broken-invariant', 'The broker lists groups in an unknown way')
      }
      return { error: code, groups: found }
    },
  )
  if (error !== kafkaError.none) throw new BrokerRefusal(error, 'Listing the groups')
  return groups
}

function compactString(reader: ResponseReader): string {
  return reader.take(Math.max(0, unsignedVarint(reader) - 1)).toString('utf8')
}

function unsignedVarint(reader: ResponseReader): number {
  let value = 0
  let factor = 1
  for (;;) {
    const byte = reader.int8() & 0xff
    value += (byte & 0x7f) * factor
    if (byte < 0x80) return value
    factor *= 0x80
  }
}
