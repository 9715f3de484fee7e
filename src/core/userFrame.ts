import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folders of Tidemark itself, in the repository and when installed; `jobs/` beside them is a user's as any other. */
const ownFolders: readonly string[] = ['src', 'operators'].map((folder) =>
  fileURLToPath(new URL(`../../${folder}/`, import.meta.url)),
)

/** `    at parseOrder (file:///home/ada/jobs/orders.ts:12:9)`, `    at async /home/ada/orders.js:3:1`. */
const frame = /^\s+at (?:async )?(?:(.*) \()?((?:file:\/\/)?\/.*|[A-Za-z]:\\.*):(\d+):(\d+)\)?$/

/**
 * Where in the user's own code an error comes from: the first frame of its stack that is neither Node's, nor Tidemark's, nor
 * a library's. `parseOrder (jobs/orders.ts:12:9)`, with the path as from the working directory; null where there is none.
 */
export function userFrame(error: unknown): string | null {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return null
  for (const line of error.stack.split('\n')) {
    const [, name, location, row, column] = frame.exec(line) ?? []
    if (location === undefined) continue
    const file = fileOf(location)
    if (file === null || isForeign(file)) continue
    const place = `${shownFile(file)}:${row ?? ''}:${column ?? ''}`
    return name === undefined ? place : `${name} (${place})`
  }
  return null
}

/** A path as a person in the working directory would write it. */
function shownFile(file: string): string {
  const relative = path.relative(process.cwd(), file)
  return relative === '' || relative.startsWith('..') ? file : relative
}

function fileOf(location: string): string | null {
  if (!location.startsWith('file:')) return location
  try {
    // A job file may have been imported with a query, to have it anew.
    return fileURLToPath(location.replace(/[?#].*$/, ''))
  } catch {
    return null
  }
}

function isForeign(file: string): boolean {
  return /[\\/]node_modules[\\/]/.test(file) || ownFolders.some((folder) => file.startsWith(folder))
}
