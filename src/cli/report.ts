import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Where the page of the last run is. */
export function reportPath(dataDirectory: string): string {
  return path.join(dataDirectory, 'report.html')
}

/** Writes the page of a run and gives its path. */
export async function writeReport(dataDirectory: string, html: string): Promise<string> {
  const file = reportPath(dataDirectory)
  // In the real world nothing else may have made it.
  await mkdir(dataDirectory, { recursive: true })
  await writeFile(file, html)
  return file
}
