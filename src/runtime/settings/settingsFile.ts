/** A properties file as it was read, with the name it has in messages. `Properties` of codecs/properties.ts fits. */
export interface SettingsFile {
  readonly name: string
  readonly properties: {
    readonly values: ReadonlyMap<string, string>
    /** The line on which each key stands, from 1 on. */
    readonly lines: ReadonlyMap<string, number>
    /** Keys that are set more than once; the last one counts. */
    readonly duplicates: readonly { readonly key: string; readonly line: number; readonly overriddenLine: number }[]
  }
}
