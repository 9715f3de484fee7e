import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { TidemarkError } from '../../src/core/errors.ts'
import type { ServerKind } from './jars.ts'
import type { LocalServerSpec } from './localServer.ts'
import { underWatch } from './underWatch.ts'

/** Where a server keeps its files: the directory that was given, or a temporary one that goes when this process ends. */
export function serverDirectory(
  kind: ServerKind,
  dataDir: string | undefined,
  lifetime: LocalServerSpec['lifetime'],
): string {
  if (dataDir !== undefined) {
    const directory = resolve(dataDir)
    mkdirSync(directory, { recursive: true })
    return directory
  }
  if (lifetime === 'daemon') {
    throw new TidemarkError(
      'invalid-argument',
      `${kind}: a server that outlives this process needs a dataDir of its own`,
    )
  }
  const directory = mkdtempSync(join(tmpdir(), `tidemark-${kind}-`))
  underWatch.addDirectory(directory)
  return directory
}
