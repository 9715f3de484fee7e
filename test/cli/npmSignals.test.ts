import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const repository = join(import.meta.dirname, '..', '..')

/** A job that never ends by itself: it says its pid, then each signal, and leaves well 300 ms after the first. */
const job = `
import { writeSync } from 'node:fs'
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    writeSync(1, 'job got ' + signal + '\\n')
    setTimeout(() => process.exit(0), 300)
  })
}
setInterval(() => {}, 1000)
writeSync(1, 'job pid ' + process.pid + ' with ' + process.argv.slice(2).join(' ') + '\\n')
`

let fixture = ''
const running: Run[] = []

beforeAll(() => {
  fixture = mkdtempSync(join(tmpdir(), 'tidemark-signals-'))
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { scripts: { start: string } }
  const { start } = manifest.scripts
  writeFileSync(join(fixture, 'package.json'), JSON.stringify({ name: 'fixture', type: 'module', scripts: { start } }))
  mkdirSync(join(fixture, 'src', 'cli'), { recursive: true })
  mkdirSync(join(fixture, 'node_modules', '.bin'), { recursive: true })
  copyFileSync(join(repository, 'src', 'cli', 'tidemark.js'), join(fixture, 'src', 'cli', 'tidemark.js'))
  writeFileSync(join(fixture, 'src', 'cli', 'main.js'), job)
  symlinkSync('../../src/cli/tidemark.js', join(fixture, 'node_modules', '.bin', 'tidemark'))
})

afterAll(() => {
  for (const run of running) run.killJob()
  rmSync(fixture, { recursive: true, force: true })
})

describe('npm start', () => {
  it('hands its flags to the job', async () => {
    const run = await started('npm', 'start', '--', '--fresh', 'a b')
    expect(run.output()).toContain('with run jobs/reconcile.ts --fresh a b\n')
    run.process.kill('SIGTERM')
    await run.ended
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'hands %s to the job once, ends when it has ended, and exits 0',
    async (signal) => {
      const run = await started('npm', 'start')
      run.process.kill(signal)
      expect(await run.ended).toEqual({ code: 0, signal: null })
      expect(run.output().match(/job got \w+/g)).toEqual([`job got ${signal}`])
      expect(run.jobIsAlive()).toBe(false)
    },
  )

  it('leaves no child behind after Ctrl-C, which may reach the job twice: from the terminal and from npm', async () => {
    const run = await started('npm', 'start')
    run.signalGroup('SIGINT')
    expect((await run.ended).code).toBe(0)
    expect(['job got SIGINT', 'job got SIGINT,job got SIGINT']).toContain(
      run
        .output()
        .match(/job got \w+/g)
        ?.join(),
    )
    expect(run.jobIsAlive()).toBe(false)
  })
})

describe('npx tidemark', () => {
  it('leaves no child behind after SIGTERM, although the shell between them may swallow it', async () => {
    const run = await started('npx', '--no-install', 'tidemark', 'run', 'x.ts')
    run.process.kill('SIGTERM')
    await run.ended
    expect(run.output()).toContain('job got SIGTERM')
    await expect.poll(() => run.jobIsAlive()).toBe(false)
  })
})

interface Run {
  readonly process: ChildProcess
  /** Settles when the process has ended and nobody holds its output any more, so when the job has ended too. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  output(): string
  signalGroup(signal: NodeJS.Signals): void
  jobIsAlive(): boolean
  killJob(): boolean
}

/** Starts a command in a process group of its own and waits until its job is there. */
async function started(command: string, ...args: readonly string[]): Promise<Run> {
  const child = spawn(command, args, { cwd: fixture, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const said = Promise.withResolvers<undefined>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (/job pid \d+ .*\n/.test(output)) said.resolve(undefined)
    })
  }
  const ended = new Promise<Awaited<Run['ended']>>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  await Promise.race([said.promise, ended])
  const jobPid = Number(/job pid (\d+)/.exec(output)?.[1] ?? Number.NaN)
  if (Number.isNaN(jobPid)) throw new Error(`The job did not start: ${output}`)
  const run: Run = {
    process: child,
    ended,
    output: () => output,
    signalGroup: (signal) => process.kill(-(child.pid ?? Number.NaN), signal),
    jobIsAlive: () => isAlive(jobPid),
    killJob: () => isAlive(jobPid) && process.kill(jobPid, 'SIGKILL'),
  }
  running.push(run)
  return run
}

/** Whether a process runs; one that has ended and only waits to be reaped by its new parent does not. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z')
}
