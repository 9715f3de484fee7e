import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Mutation } from './mutations.ts'
import { patched } from './patch.ts'

const repository = path.resolve(import.meta.dirname, '../..')
/** What a suite without servers needs besides the dependencies. */
const copied = ['src', 'operators', 'jobs', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'] as const
/** A mutation may make a suite wait for ever; that is caught as well. */
const longestMs = 120_000

/** What a suite says of mutated sources. */
export interface MutationResult {
  /** Some of its tests failed; not: it could not be loaded. */
  readonly caught: boolean
  /** Its last lines, for people. */
  readonly said: string
}

/** A copy of the repository in which mutations are tried one after another; the repository itself is never changed. */
export class MutatedCopy {
  readonly #directory: string

  constructor() {
    this.#directory = mkdtempSync(path.join(tmpdir(), 'tidemark-mutations-'))
    for (const name of copied)
      cpSync(path.join(repository, name), path.join(this.#directory, name), { recursive: true })
    mkdirSync(path.join(this.#directory, 'docs'))
    symlinkSync(path.join(repository, 'node_modules'), path.join(this.#directory, 'node_modules'))
  }

  /** Runs the suite of a mutation on sources that have it, and takes it back. */
  try(mutation: Mutation): MutationResult {
    const file = path.join(this.#directory, mutation.file)
    const source = readFileSync(file, 'utf8')
    writeFileSync(file, patched(mutation, source))
    try {
      return this.#run(mutation.caughtBy)
    } finally {
      writeFileSync(file, source)
    }
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #run(suite: string): MutationResult {
    const vitest = path.join(repository, 'node_modules', 'vitest', 'vitest.mjs')
    const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', suite], {
      cwd: this.#directory,
      encoding: 'utf8',
      timeout: longestMs,
      killSignal: 'SIGKILL',
      env: { ...process.env, NO_COLOR: '1' },
    })
    const said = stripVTControlCharacters(`${stdout}${stderr}`)
    // A suite that hangs has no status.
    const failed = status === null || /^ *Tests .*\d+ failed/m.test(said)
    return { caught: failed, said: said.split('\n').slice(-30).join('\n') }
  }
}
