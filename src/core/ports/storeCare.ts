import { Port, type Resource } from './port.ts'

/** One part of what is told of a store: a sentence, or a table. */
export type StoreReportPart =
  string | { readonly heads: readonly string[]; readonly rows: readonly (readonly string[])[] }

/** A store that was read without being opened. */
export interface ReadStore {
  readonly parts: readonly StoreReportPart[]
  /** One sentence each, without its full stop. */
  readonly damages: readonly string[]
}

/** What can be done for a store on this machine that may be damaged. Nobody may use it meanwhile. */
export interface StoreCare extends Resource {
  /** Verifies every file and every value; changes nothing. */
  check(): Promise<ReadStore>
  /** Copies what is whole into a new data directory, `to`; the store itself is only read. */
  salvage(to: string): Promise<ReadStore & { readonly path: string }>
}

/** What `tidemark store` works on. */
export const storeCarePort: Port<StoreCare> = new Port<StoreCare>('store')
