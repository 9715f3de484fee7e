import { TidemarkError } from '../../../core/errors.ts'
import type { CqlRequest, CqlResponse, CqlSession } from './cqlSession.ts'
import type { LookupParts } from '../lookup/lookupParts.ts'
import type { RequestSlots } from './requestSlots.ts'

/** What a request ends with that nobody waited for any more when its turn came. */
export const notSent = new TidemarkError(
  'system-unreachable',
  'The lookup was given up while it waited for its turn; nothing was sent to Cassandra.',
  { retriable: true, details: { system: 'cassandra' } },
)

/** A session whose requests wait for a free slot. */
export class BoundedSession implements Pick<CqlSession, 'execute'> {
  readonly #session: CqlSession
  readonly #slots: RequestSlots

  constructor(session: CqlSession, slots: RequestSlots) {
    this.#session = session
    this.#slots = slots
  }

  /** @param parts of the lookup that the request belongs to; absent: of none in particular. Rejects also with `notSent`. */
  async execute(request: CqlRequest, parts?: LookupParts): Promise<CqlResponse> {
    const slots = this.#slots
    if (!slots.tryTake()) {
      parts?.waits()
      if (!(await slots.take(() => parts?.wanted ?? true))) throw notSent
      parts?.begins()
    }
    try {
      return await this.#session.execute(request)
    } finally {
      slots.free()
    }
  }
}
