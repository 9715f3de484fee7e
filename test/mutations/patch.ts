/** A bug that somebody could have written: one place of one source file, changed. It is never applied to the file itself. */
export interface Patch {
  readonly name: string
  readonly file: string
  /** Stands in the file once. */
  readonly find: string
  readonly replace: string
}

/** The source with the bug. Throws where its place is gone: whoever changed the file moves the bug to where it is one now. */
export function patched({ name, file, find, replace }: Patch, source: string): string {
  if (source.split(find).length === 2) return source.replace(find, () => replace)
  throw new Error(
    `"${name}" has lost its place: its text does not stand once in ${file}. Adapt the bug to the new text`,
  )
}
