import type { Cells } from '../protocol/rawCells.ts'
import type { ResponseType } from '../protocol/responseType.ts'

/** One statement to be executed. Nothing of a message is ever in the text: values are bound. */
export interface CqlRequest {
  readonly cql: string
  /** In the native protocol's bytes. */
  readonly values: readonly Buffer[]
  /** Set for a prepared statement: the keyspace and the partition key it is routed by. */
  readonly route?: Route
  /** A table of the cluster's own, which each node keeps for itself: no other consistency would be had. */
  readonly systemTable?: boolean
  /** Rows in one answer; default 5,000. */
  readonly pageRows?: number
  /** Where the page before ended. */
  readonly pageState?: string
}

export interface Route {
  readonly keyspace: string
  /** The partition key's bytes as they are hashed; null where there is no one node to prefer. */
  readonly key: Buffer | null
}

export interface ResponseColumn {
  readonly name: string
  readonly type: ResponseType
}

export interface CqlResponse {
  /** Empty for what is no SELECT. */
  readonly columns: readonly ResponseColumn[]
  readonly rows: readonly Cells[]
  /** Null: there is no further page. */
  readonly pageState: string | null
}

/** A connection to a cluster, as this connector uses it. One per process; opened once, closed once. */
export interface CqlSession {
  /** Rejects with `system-unreachable`, naming cause and fix, or with `invalid-setting`. */
  connect(): Promise<void>
  /** Also while connecting, or after that failed. */
  close(): Promise<void>
  /** Rejects with what the driver says; see `judgeDriverError`. */
  execute(request: CqlRequest): Promise<CqlResponse>
}
