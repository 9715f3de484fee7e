import { spawn, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { dataDirectory } from '../../../../src/connectors/embedded/shared/holder.ts'
import { holdForJob } from '../../../../src/connectors/embedded/shared/heldDirectory.ts'
import { withStore } from '../../../../src/connectors/embedded/shared/withStore.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../../../src/core/record.ts'
import { openDataDirectory } from '../../../../src/files/openDataDirectory.ts'
import { givenAway } from '../../../support/files/foreignUser.ts'
import { treeOf } from '../../../support/files/tree.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'

const holdDirectory = fileURLToPath(new URL('../processes/holdDirectory.ts', import.meta.url))
const copyTopic = fileURLToPath(new URL('../processes/copyTopic.ts', import.meta.url))
const options = { clock: systemClock, partitions: 1 }

function output(value: string): OutputRecord {
  return { topic: 't', partition: 0, key: null, value: Buffer.from(value), headers: [], timestamp: 1 }
}

describe('data directory', { timeout: 30_000 }, () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let path: string
  const children: ChildProcess[] = []

  beforeEach(async () => {
    directory = await temporaryDirectory()
    path = join(directory.path, 'data')
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await directory.remove()
  })

  const holder = async (kind: 'job' | 'command'): Promise<ChildProcess> => {
    const child = fork(holdDirectory, [path, kind])
    children.push(child)
    await once(child, 'message')
    return child
  }
  const killed = async (child: ChildProcess): Promise<void> => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const endOffset = (): Promise<number> =>
    withStore(path, options, async (store) => (await store.describeTopic('t')).endOffsets[0] ?? -1)

  test('is opened by a command where nobody holds it, and left behind without a trace of the command', async () => {
    await withStore(path, options, (store) => store.append([output('a')]))
    expect(await endOffset()).toBe(1)
    expect(existsSync(dataDirectory(path).holderFile)).toBe(false)
    expect(existsSync(dataDirectory(path).socket)).toBe(false)
  })

  test('works the same for commands while a job holds it, and after it', async () => {
    const job = await holder('job')
    await withStore(path, options, (store) => store.append([output('a')]))
    expect(await endOffset()).toBe(1)
    job.send('stop')
    await once(job, 'exit')
    expect(await endOffset()).toBe(1)
  })

  test('is refused to a second job at once, naming process and job', async () => {
    const job = await holder('job')
    const beganMs = performance.now()
    await expect(holdForJob(path, 'other', options)).rejects.toMatchObject({
      code: 'directory-in-use',
      message: `The data directory ${path} is held by job "reconcile" (process ${String(job.pid)}). Stop it, or choose another directory with --data-dir`,
      details: { pid: job.pid, job: 'reconcile' },
    })
    expect(performance.now() - beganMs).toBeLessThan(5_000)
  })

  test('is refused to a second job also while the first does not answer', async () => {
    const job = await holder('job')
    job.kill('SIGSTOP')
    await expect(holdForJob(path, 'other', options)).rejects.toMatchObject({
      code: 'directory-in-use',
      details: { pid: job.pid },
    })
  })

  test('is given to a job when the command that holds it has ended', async () => {
    const command = await holder('command')
    const waiting = holdForJob(path, 'reconcile', options)
    await new Promise((resolve) => setTimeout(resolve, 300))
    command.send('stop')
    const held = await waiting
    expect(held.store.isEmpty()).toBe(true)
    await held.close()
  })

  test('is shared by commands that run at the same time', async () => {
    await holder('command')
    await withStore(path, options, (store) => store.append([output('a')]))
    const appends = Array.from({ length: 10 }, (_, n) =>
      withStore(path, options, (store) => store.append([output(String(n))])),
    )
    await Promise.all(appends)
    expect(await endOffset()).toBe(11)
  })

  test('is free again after its holder was killed, whatever it left', async () => {
    for (const kind of ['job', 'command'] as const) {
      const child = await holder(kind)
      await withStore(path, options, (store) => store.append([output('a')]))
      await killed(child)
      expect(existsSync(dataDirectory(path).holderFile)).toBe(true)
      expect(existsSync(dataDirectory(path).socket)).toBe(true)
      const held = await holdForJob(path, 'next', options)
      await held.serve()
      expect(JSON.parse(await readFile(dataDirectory(path).holderFile, 'utf8'))).toMatchObject({
        pid: process.pid,
        job: 'next',
      })
      await held.close()
    }
    expect(await endOffset()).toBe(2)
  })

  test.each([
    '',
    'nonsense',
    '{"pid":1}',
    `{"pid":${String(process.pid)},"kind":"job","job":"old","socket":"/nowhere"}`,
  ])('is free where its holder file says %j and nobody has it open', async (text) => {
    await openDataDirectory(path, { purpose: 'write' })
    await writeFile(dataDirectory(path).holderFile, text)
    const held = await holdForJob(path, 'next', options)
    expect(held.store.isEmpty()).toBe(true)
    await held.close()
  })

  test('goes on serving a command whose holder ends in between', async () => {
    const job = await holder('job')
    await withStore(path, options, (store) => store.append([output('a')]))
    job.send('stop')
    const ends = await Promise.all(Array.from({ length: 20 }, endOffset))
    expect(ends).toEqual(Array.from({ length: 20 }, () => 1))
  })

  test('has a socket elsewhere when its path is too long for one', async () => {
    path = join(directory.path, 'd'.repeat(120))
    const { socket } = dataDirectory(path)
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(100)
    const held = await holdForJob(path, 'reconcile', options)
    await held.serve()
    expect(existsSync(socket)).toBe(true)
    await withStore(path, options, (store) => store.append([output('a')]))
    await held.close()
    expect(await endOffset()).toBe(1)
  })

  test('leaves no directory of a socket that stood elsewhere', async () => {
    path = join(directory.path, 'd'.repeat(120))
    const { socket } = dataDirectory(path)
    const held = await holdForJob(path, 'reconcile', options)
    await held.serve()
    expect(existsSync(socket)).toBe(true)
    await held.close()
    expect(existsSync(dirname(socket))).toBe(false)
  })

  test('has a socket also where the temporary directory is too long for one as well', async () => {
    path = join(directory.path, 'd'.repeat(120))
    const long = join(directory.path, 't'.repeat(120))
    await mkdir(long)
    vi.stubEnv('TMPDIR', long)
    const { socket } = dataDirectory(path)
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(100)
    const held = await holdForJob(path, 'reconcile', options)
    await held.serve()
    await withStore(path, options, (store) => store.append([output('a')]))
    await held.close()
    vi.unstubAllEnvs()
    expect(existsSync(dirname(socket))).toBe(false)
  })

  test('is refused by name where a directory stands in the place of its socket', async () => {
    await withStore(path, options, (store) => store.append([output('a')]))
    await mkdir(join(path, 'control', 'socket'))
    await expect(withStore(path, options, (store) => store.listTopics())).rejects.toMatchObject({
      code: 'unsafe-path',
      message: `${join(path, 'control', 'socket')} is no socket, and Tidemark needs the name for one. Move it away`,
    })
  })

  test.each(['log', 'control'])('is refused where %s in it belongs to another user', async (name) => {
    await withStore(path, options, (store) => store.append([output('a')]))
    const viewer = givenAway(join(path, name))
    const before = treeOf(path)
    await expect(holdForJob(path, 'next', { ...options, viewer })).rejects.toMatchObject({
      code: 'unsafe-path',
      message: expect.stringMatching(`${name} belongs to user`),
    })
    expect(treeOf(path)).toEqual(before)
  })

  test.each(['CURRENT', 'LOG', '000003.log'])(
    'is refused where %s of its database is a link, and what it points to is not touched',
    async (name) => {
      await withStore(path, options, (store) => store.append([output('a')]))
      const victim = join(directory.path, 'victim')
      await rename(join(path, 'log', name), victim).catch(() => writeFile(victim, 'precious'))
      const content = readFileSync(victim)
      await symlink(victim, join(path, 'log', name))
      await expect(holdForJob(path, 'next', options)).rejects.toMatchObject({
        code: 'unsafe-path',
        message: expect.stringMatching(`${name} is a symbolic link`),
      })
      expect(readFileSync(victim)).toEqual(content)
    },
  )

  test.each(['holder.json', 'holder.json.next'])('writes no other file through a link at %s', async (name) => {
    await openDataDirectory(path, { purpose: 'write' })
    const victim = join(directory.path, 'victim')
    await writeFile(victim, 'precious')
    await symlink(victim, join(path, name))
    const held = await holdForJob(path, 'next', options)
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    expect(JSON.parse(readFileSync(dataDirectory(path).holderFile, 'utf8'))).toMatchObject({ job: 'next' })
    await held.close()
    expect(readFileSync(victim, 'utf8')).toBe('precious')
  })

  test('has nothing to read where it is marked and there is no log in it, and gets none by that', async () => {
    await openDataDirectory(path, { purpose: 'write' })
    const before = treeOf(path)
    await expect(withStore(path, { ...options, purpose: 'read' }, (store) => store.listTopics())).rejects.toMatchObject(
      { code: 'invalid-setting', message: expect.stringMatching('There is no data directory') },
    )
    expect(treeOf(path)).toEqual(before)
  })

  test('lets one command read what another writes from it, through a pipe', async () => {
    const count = 3_000
    await withStore(path, options, (store) =>
      store.append(Array.from({ length: count }, (_, n) => output(`${String(n)} ${'x'.repeat(200)}`))),
    )
    const reader = spawn(process.execPath, [copyTopic, path, 'read', 't', String(count)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const writer = spawn(process.execPath, [copyTopic, path, 'write', 'copy'], {
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    children.push(reader, writer)
    reader.stdout.pipe(writer.stdin)
    const [code] = (await once(writer, 'exit')) as [number]
    expect(code).toBe(0)
    const copied = await withStore(path, options, (store) =>
      store.readPage({ topic: 'copy', partition: 0, from: 0, limit: count + 1 }),
    )
    expect(copied.records.map(({ raw }) => raw?.toString().split(' ')[0])).toEqual(
      Array.from({ length: count }, (_, n) => String(n)),
    )
  })
})
