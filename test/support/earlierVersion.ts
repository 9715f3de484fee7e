import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** What users have. */
const version010 = '10bdeee639db206ab8ea92b5582cf542158efae3'

export interface EarlierVersion {
  /** Its sources, with this checkout's dependencies. */
  readonly checkout: string
  remove(): void
}

/** Takes a commit out of the repository's own history, to run beside today's. */
export function earlierVersion(commit = version010): EarlierVersion {
  const checkout = mkdtempSync(path.join(tmpdir(), 'tidemark-earlier-'))
  const archive = path.join(checkout, 'sources.tar')
  try {
    execFileSync('git', ['archive', '--output', archive, commit], { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (cause) {
    rmSync(checkout, { recursive: true, force: true })
    throw new Error(
      `Commit ${commit} is not here: what compares with it needs the whole history (git fetch --unshallow)`,
      {
        cause,
      },
    )
  }
  execFileSync('tar', ['-xf', archive, '-C', checkout])
  rmSync(archive)
  symlinkSync(path.resolve('node_modules'), path.join(checkout, 'node_modules'))
  return {
    checkout,
    remove: () => {
      rmSync(checkout, { recursive: true, force: true })
    },
  }
}
