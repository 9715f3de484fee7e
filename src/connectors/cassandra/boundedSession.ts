import type { CqlRequest, CqlResponse, CqlSession } from './cqlSession.ts'
import type { RequestSlots } from './requestSlots.ts'

/** A session whose requests wait for a free slot. */
export class BoundedSession implements CqlSession {
  readonly #session: CqlSession
  readonly #slots: RequestSlots

  constructor(session: CqlSession, slots: RequestSlots) {
    this.#session = session
    this.#slots = slots
  }

  connect(): Promise<void> {
    return this.#session.connect()
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  async execute(request: CqlRequest): Promise<CqlResponse> {
    const slots = this.#slots
    if (!slots.tryTake()) await slots.take()
    try {
      return await this.#session.execute(request)
    } finally {
      slots.free()
    }
  }
}
