import type { CqlRequest, CqlSession } from '../client/cqlSession.ts'
import { judgeDriverError, type DriverVerdict } from '../client/driverError.ts'

/** Reads of each kind that are kept. */
const mostKept = 4

const anyNode: CqlRequest = { cql: 'SELECT key FROM system.local', values: [], systemTable: true }

/**
 * Which reads tell whether the cluster can answer again. A node that is up may have no replicas for what is asked for, so
 * what it keeps for itself says nothing: what failed is read again, at the consistency of the reads. Memory: some reads.
 */
export class ProbeReads {
  /** The cluster said that it could not answer them. */
  readonly #unavailable = new Map<string, CqlRequest>()
  /** They failed, and the row may be at fault. */
  readonly #doubtful = new Map<string, CqlRequest>()
  #answered: CqlRequest | null = null

  /** A read of rows was answered. */
  answered(request: CqlRequest): void {
    this.#answered = request
    if (this.#unavailable.size > 0 || this.#doubtful.size > 0) this.#forget(request)
  }

  failed(request: CqlRequest, verdict: DriverVerdict): void {
    this.#forget(request)
    if (verdict === 'unavailable') keep(this.#unavailable, request)
    if (verdict === 'transient') keep(this.#doubtful, request)
  }

  /**
   * Resolves when all is answered that the cluster could not answer, and, of reads that may have failed by their rows, any
   * one, or else the last read that did not fail.
   */
  async probe(session: Pick<CqlSession, 'execute'>): Promise<void> {
    const unavailable = [...this.#unavailable.values()]
    const others = [...this.#doubtful.values(), ...(this.#answered === null ? [] : [this.#answered])]
    // With one read that failed and none that did not, any node is all there is to ask.
    const isTelling = others.length > 1 || unavailable.length > 0
    await Promise.all([
      ...unavailable.map((request) => this.#ask(session, request, ['unavailable'])),
      ...(this.#doubtful.size > 0 && isTelling
        ? [Promise.any(others.map((request) => this.#ask(session, request, ['unavailable', 'transient'])))]
        : unavailable.length > 0
          ? []
          : [session.execute(anyNode)]),
    ])
  }

  /** Rejects where the read fails by one of these verdicts; any other end is an answer. */
  async #ask(
    session: Pick<CqlSession, 'execute'>,
    request: CqlRequest,
    failing: readonly DriverVerdict[],
  ): Promise<void> {
    try {
      await session.execute(request)
    } catch (error) {
      if (failing.includes(judgeDriverError(error))) throw error
    }
    this.#forget(request)
  }

  #forget(request: CqlRequest): void {
    const name = requestName(request)
    this.#unavailable.delete(name)
    this.#doubtful.delete(name)
  }
}

/** The newest are kept: what failed long ago may not be of interest any more. */
function keep(reads: Map<string, CqlRequest>, request: CqlRequest): void {
  reads.set(requestName(request), request)
  for (const oldest of reads.keys()) {
    if (reads.size <= mostKept) return
    reads.delete(oldest)
  }
}

function requestName({ cql, values }: CqlRequest): string {
  return `${cql} ${values.map((value) => value.toString('hex')).join(' ')}`
}
