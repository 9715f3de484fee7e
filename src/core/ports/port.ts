import type { Figure } from '../figures.ts'

/**
 * The name of something a world provides (table rows, a schema registry, …) with its type. Operators ask for a port;
 * the composition of a world says what stands behind it.
 */
export class Port<T extends Resource> {
  readonly name: string
  /** Carries the type; never set. */
  declare readonly provides: T

  constructor(name: string) {
    this.name = name
  }
}

/** A client that lives as long as the process. */
export interface Resource {
  /** Called once before the first epoch of a job that uses it. Rejects with `system-unreachable`. */
  connect(): Promise<void>
  /** Called once at the end, also after an error. */
  close(): Promise<void>
  /** What the client has counted so far: the same names in each call. Cheap; asked once a scrape. */
  figures?(): readonly Figure[]
}
