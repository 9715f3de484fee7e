import path from 'node:path'
import { openDataDirectory } from '../../files/openDataDirectory.ts'
import { replaceFile } from '../../files/replaceFile.ts'

/** Where the page of the last run is. */
export function reportPath(dataDirectory: string): string {
  return path.join(dataDirectory, 'report.html')
}

/** Writes the page of a run and gives its path. In the real world nothing else may have made the directory. */
export async function writeReport(dataDirectory: string, html: string): Promise<string> {
  const file = reportPath(await openDataDirectory(dataDirectory, { purpose: 'write' }))
  await replaceFile(file, html)
  return file
}
