import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  type Stats,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorCode, TidemarkError } from '../../src/core/errors.ts'
import { openDataDirectory, type DataDirectoryOptions } from '../../src/files/openDataDirectory.ts'
import { thisProcess, type Viewer } from '../../src/files/ownership.ts'
import { givenAway } from '../support/files/foreignUser.ts'
import { treeOf } from '../support/files/tree.ts'

const none = /There is no data directory/
const marker = '{"directory":"tidemark","version":1}\n'

let above: string
let directory: string

beforeEach(() => {
  above = mkdtempSync(path.join(tmpdir(), 'tidemark-files-'))
  directory = path.join(above, 'data')
})

afterEach(() => {
  rmSync(above, { recursive: true, force: true })
})

const open = (options: Partial<DataDirectoryOptions> = {}): Promise<string> =>
  openDataDirectory(directory, { purpose: 'write', ...options })

/** Makes files, and directories where a name ends with a slash. */
function make(content: Readonly<Record<string, string>>, mode = 0o700): void {
  mkdirSync(directory, { mode })
  chmodSync(directory, mode)
  for (const [name, text] of Object.entries(content)) {
    const file = path.join(directory, name)
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    if (name.endsWith('/')) mkdirSync(file, { recursive: true, mode: 0o700 })
    else writeFileSync(file, text, { mode: 0o600 })
  }
}

/** How it is refused, for writing and for reading alike, and whether that has left everything as it was. */
async function refusal(options: Partial<DataDirectoryOptions> = {}): Promise<unknown> {
  const before = JSON.stringify(treeOf(above))
  const forReading = await open({ purpose: 'read', ...options }).catch((error: unknown) => error)
  const forWriting = await open(options).catch((error: unknown) => error)
  expect(forReading).toEqual(forWriting)
  const { code, message } = forWriting as TidemarkError
  return { code, message, isUntouched: JSON.stringify(treeOf(above)) === before }
}

const viewerOf = (): Viewer => ({
  user: thisProcess.user,
  groups: thisProcess.groups,
  lstat: (file) => thisProcess.lstat(file),
})

const refused = (code: ErrorCode, words: RegExp): unknown => ({
  code,
  message: expect.stringMatching(words) as unknown,
  isUntouched: true,
})

const level = (at: string): Readonly<Record<string, string>> => ({
  [`${at}/CURRENT`]: 'MANIFEST-000002\n',
  [`${at}/MANIFEST-000002`]: '',
  [`${at}/000003.log`]: '',
  [`${at}/LOCK`]: '',
  [`${at}/LOG`]: '',
  [`${at}/LOG.old`]: '',
})
const holder = '{"kind":"job","job":"count","pid":1,"socket":"/s"}'
const report = '<!doctype html>\n<html lang="en">\n<head>\n<title>Reconcile report, 2026-11-21 02:46:57 UTC</title>\n'
const cluster = 'MkU3OEVBNTcwNTJENDM2Qg'

describe('a data directory that is not there, or empty', () => {
  it('is made ours for writing, for this user alone, with nothing in it but the marker', async () => {
    directory = path.join(above, 'deep', 'data')
    expect(await open()).toBe(directory)
    expect(treeOf(directory)).toEqual({ 'tidemark.json': `file 600 ${Buffer.from(marker).toString('base64')}` })
    expect(lstatSync(directory).mode & 0o777).toBe(0o700)
    expect(await open({ purpose: 'read' })).toBe(directory)
  })

  it.each([0o755, 0o777])('is closed to others when it was made with mode %o', async (mode) => {
    make({}, mode)
    await open()
    expect(lstatSync(directory).mode & 0o777).toBe(0o700)
  })

  it('is not made by reading', async () => {
    const read = { purpose: 'read' } as const
    await expect(open(read)).rejects.toMatchObject({ code: 'invalid-setting', message: expect.stringMatching(none) })
    make({})
    await expect(open(read)).rejects.toMatchObject({ code: 'invalid-setting', message: expect.stringMatching(none) })
    expect(treeOf(above)).toEqual({ data: 'directory 700' })
  })

  it.each(['', '{', marker.slice(0, -1)])('is completed where the marker was written as far as %j', async (begun) => {
    make({ 'tidemark.json': begun })
    await open()
    expect(readFileSync(path.join(directory, 'tidemark.json'), 'utf8')).toBe(marker)
  })

  it('is that of several processes that come at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => open()))
    expect(Object.keys(treeOf(directory))).toEqual(['tidemark.json'])
  })

  it.each(['lost+found/', '.snapshot/', '.nfs00000000017a4b2c00000003', '.DS_Store', '.gitkeep', '.gitignore'])(
    'may have what file systems, desktops and git leave there: %s',
    async (name) => {
      make({ [name]: '' }, 0o755)
      await open()
      expect(Object.keys(treeOf(directory)).toSorted()).toEqual([name.replace('/', ''), 'tidemark.json'].toSorted())
      expect(lstatSync(directory).mode & 0o777).toBe(0o700)
    },
  )

  it('stands where a link of the user points to', async () => {
    make({})
    const link = path.join(above, 'link')
    symlinkSync(directory, link)
    expect(await openDataDirectory(link, { purpose: 'write' })).toBe(directory)
  })
})

describe('a directory with a marker', () => {
  it('is ours whatever else is in it', async () => {
    make({ 'tidemark.json': marker, 'notes.txt': 'mine' })
    expect(await open()).toBe(directory)
    expect(await open({ purpose: 'read' })).toBe(directory)
  })

  it('of a later version is refused', async () => {
    make({ 'tidemark.json': '{"directory":"tidemark","version":2,"more":true}' })
    expect(await refusal()).toEqual(refused('unknown-format', /version 2, and this Tidemark knows version 1/))
  })

  it.each([
    '[]',
    'null',
    '{"directory":"other","version":1}',
    '{"directory":"tidemark"}',
    '\0'.repeat(37),
    'x'.repeat(9_999),
  ])('of another content (%#) is refused', async (text) => {
    make({ 'tidemark.json': text })
    expect(await refusal()).toEqual(refused('foreign-directory', /tidemark\.json\) is not what Tidemark wrote/))
  })

  it('that is damaged is made anew when it is removed, and is no reason not to look at the store', async () => {
    make({ ...level('log'), 'log.witness': 'damaged', 'tidemark.json': marker.replace('tidemark', 'tidemarj') })
    const before = treeOf(directory)
    const says =
      /tidemark\.json\) is not what Tidemark wrote: it is damaged, or another program's.*remove tidemark\.json/
    const lines: string[] = []
    const damagedMarker = (line: string): void => void lines.push(line)
    for (const options of [{}, { purpose: 'write', damagedMarker }] as const)
      expect(await refusal(options)).toEqual(refused('foreign-directory', says))
    expect(await open({ purpose: 'read', damagedMarker })).toBe(directory)
    expect(lines).toEqual([
      expect.stringMatching(/^tidemark\.json is not what Tidemark wrote\. .*remove tidemark\.json/),
    ])
    expect(treeOf(directory)).toEqual(before)
    rmSync(path.join(directory, 'tidemark.json'))
    expect(await open()).toBe(directory)
    expect(readFileSync(path.join(directory, 'tidemark.json'), 'utf8')).toBe(marker)
  })

  it.each([['log/', 'log.witness'], ['log.witness'], ['log/', 'log/note', 'log.witness'], ['log/', 'log/CURRENT']])(
    'that is damaged is refused to everybody where no store of ours is beside it (%#)',
    async (...names) => {
      make({ 'tidemark.json': '{}', ...Object.fromEntries(names.map((name) => [name, ''])) })
      expect(await refusal({ purpose: 'read', damagedMarker: () => undefined })).toEqual(
        refused('foreign-directory', /is not what Tidemark wrote/),
      )
    },
  )
})

describe('a directory of version 0.1.0', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ['of the embedded world', { ...level('log'), 'control/': '', 'report.html': '<html>of a job of mine' }],
    ['whose process was killed', { ...level('log'), 'holder.json': holder, 'control/': '' }],
    ['killed while it was opened', { 'log/LOG': '', 'log/LOCK': '' }],
    ['killed before it was opened', { 'log/': '' }],
    [
      'killed while the database was made',
      { 'log/LOG': '', 'log/LOCK': '', 'log/MANIFEST-000001': '', 'log/000001.dbtmp': 'MANI' },
    ],
    ['killed before it was held', { ...level('log'), 'control/': '', 'holder.json.next': '{"kind":"jo' }],
    ['that was only read since', { ...level('log'), 'log.witness': 'TMW1', 'holder.json.12-3.next': '{"ki' }],
    ['whose machine stopped', { ...level('log'), 'holder.json': '' }],
    ['with tables', { ...level('log'), 'log/000005.ldb': 'x' }],
    ['whose database is damaged', { 'log/000005.ldb': 'x', 'log/LOG': '', 'log/CURRENT': 'garbage' }],
    ['with state', { ...level('log'), ...level('embedded/count/0/source-0'), ...level('embedded/count/0/source-11') }],
    ['with state half made', { ...level('log'), 'embedded/count/0/source-0/': '', 'embedded/other.job/': '' }],
    ['on Kafka', { ...level(`${cluster}/count/0/slot`), ...level(`${cluster}/count/0/source-3`) }],
    ['on a cluster of another id', { ...level('lkc-12.a/count/17/slot'), 'report.html': report }],
    ['on Kafka, with an id of its own', { ...level('kafka/count/0/slot'), 'kafka/count/0/instance.json': '{}' }],
    ['on Kafka half made', { [`${cluster}/count/0/slot/`]: '' }],
    ['on Kafka without state', { 'report.html': report }],
    ['that Finder and git have touched', { ...level('log'), '.DS_Store': '', 'log/.DS_Store': '', '.gitignore': '*' }],
    ['in both worlds', { ...level('log'), ...level(`${cluster}/count/0/slot`) }],
  ])('%s is marked once, with a line', async (_, content) => {
    make(content)
    const before = treeOf(directory)
    expect(await open({ purpose: 'read' })).toBe(directory)
    expect(treeOf(directory)).toEqual(before)
    const lines: string[] = []
    const note = (line: string): void => void lines.push(line)
    expect(await open({ note })).toBe(directory)
    expect(await open({ note })).toBe(directory)
    expect(lines).toEqual([expect.stringContaining('made by an earlier version')])
    const { 'tidemark.json': marked, ...rest } = treeOf(directory)
    expect(marked).toBe(`file 600 ${Buffer.from(marker).toString('base64')}`)
    expect(rest).toEqual(before)
  })

  it('is marked while a process of it listens, and where it was killed in the middle of that', async () => {
    make({ ...level('log'), 'control/': '', 'tidemark.json': '{"direc' })
    const server = createServer().listen(path.join(directory, 'control', 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    await open()
    expect(readFileSync(path.join(directory, 'tidemark.json'), 'utf8')).toBe(marker)
    await new Promise((resolve) => server.close(resolve))
  })
})

describe("somebody else's directory is refused and not touched", () => {
  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['any file', { 'notes.txt': 'mine' }, 'notes.txt'],
    ['a hidden file', { '.git/': '' }, '.git'],
    ['a log directory of another program', { 'log/app.log': 'GET /' }, 'log'],
    ['a numbered log', { 'log/000001.log': 'GET /' }, 'log'],
    ['a log file', { log: 'GET /' }, 'log'],
    ['a foreign file in the log', { ...level('log'), 'log/notes.txt': 'mine' }, 'log'],
    ['a directory in the log', { ...level('log'), 'log/lost/': '' }, 'log'],
    ['an empty log among others', { 'log/': '', 'embedded/': '' }, '(log|embedded)'],
    ['firmware', { 'embedded/main.c': 'int main' }, 'embedded'],
    ['an embedded directory alone', { ...level('embedded/count/0/source-0') }, 'embedded'],
    ['other files in embedded', { ...level('log'), 'embedded/main.c': 'int main' }, 'embedded'],
    ['another slot in embedded', { ...level('log'), ...level('embedded/count/1/source-0') }, 'embedded'],
    [
      'other files in state',
      { ...level('log'), ...level('embedded/a/0/source-0'), 'embedded/a/0/source-0/x': '' },
      'embedded',
    ],
    ['a report of its own', { 'report.html': '<html>quarterly figures' }, 'report.html'],
    [
      'another page that says so',
      { 'report.html': '<!doctype html>\n<html lang="en">\n<title>Quarter' },
      'report.html',
    ],
    ['a holder of shares', { ...level('log'), 'holder.json': '{"name":"Ada"}' }, 'holder.json'],
    ['a witness alone', { 'log.witness': 'x' }, 'log.witness'],
    ['a holder half written of another kind', { ...level('log'), 'holder.json.next': '{"na' }, 'holder.json.next'],
    ['a holder alone', { 'holder.json': holder }, 'holder.json'],
    ['a holder that is no text', { ...level('log'), 'holder.json/': '' }, 'holder.json'],
    ['a control directory of another kind', { ...level('log'), 'control/panel': '' }, 'control'],
    ['an empty directory', { 'src/': '' }, 'src'],
    ['a project', { 'src/index.ts': '', 'test/a.test.ts': '' }, 'src'],
    ['a cluster without a lock', { ...level(`${cluster}/count/0/source-0`) }, cluster],
    ['a cluster with other files', { ...level(`${cluster}/count/0/slot`), [`${cluster}/count/x`]: '' }, cluster],
    ['a lock beside other files', { ...level(`${cluster}/count/0/slot`), 'notes.txt': '' }, 'notes.txt'],
  ])('%s', async (_, content, named) => {
    make(content)
    expect(await refusal()).toEqual(refused('foreign-directory', new RegExp(`not Tidemark's.*"${named}"`)))
  })

  it('a log that is a link to a database', async () => {
    make({})
    mkdirSync(path.join(above, 'elsewhere'))
    symlinkSync(path.join(above, 'elsewhere'), path.join(directory, 'log'))
    expect(await refusal()).toEqual(refused('foreign-directory', /"log"/))
    writeFileSync(path.join(directory, 'tidemark.json'), marker)
    expect(await refusal()).toEqual(refused('unsafe-path', /log is a symbolic link/))
  })

  it('no directory at all', async () => {
    writeFileSync(directory, '')
    expect(await refusal()).toEqual(refused('unsafe-path', /is no directory/))
  })
})

describe('a directory that others can get at is refused', () => {
  it.each([0o702, 0o777])('writable by others (mode %o)', async (mode) => {
    make({ 'tidemark.json': marker }, mode)
    expect(await refusal()).toEqual(
      refused('unsafe-path', new RegExp(`Other users can write .*mode 0${mode.toString(8)}.*chmod go-w ${directory}`)),
    )
  })

  it.each([0o2770, 0o2775, 0o770])(
    'but is closed again where only a group of this process can (mode %o)',
    async (mode) => {
      const opened = { ...level('log'), 'tidemark.json': marker, 'control/': '' }
      make(opened)
      // What the kubelet does to a volume with `fsGroup`, at every mount.
      const mount = (): void => {
        for (const name of [...Object.keys(opened), 'log'])
          chmodSync(path.join(directory, name), name.includes('.') ? 0o660 : mode)
        chmodSync(directory, mode)
      }
      for (const purpose of ['write', 'write', 'read'] as const) {
        mount()
        const lines: string[] = []
        expect(await open({ purpose, note: (line) => void lines.push(line) })).toBe(directory)
        expect(lines).toEqual([
          expect.stringMatching(
            new RegExp(`of ${directory} could write it \\(mode ${mode.toString(8).padStart(4, '0')}`),
          ),
        ])
        expect(lstatSync(directory).mode & 0o7777).toBe(0o700)
      }
    },
  )

  it("and not where it is somebody else's content", async () => {
    make({ 'notes.txt': 'mine' }, 0o775)
    expect(await refusal()).toEqual(refused('foreign-directory', /"notes.txt"/))
  })

  it('by a group that this process is not of', async () => {
    make({ 'tidemark.json': marker }, 0o770)
    expect(await refusal({ viewer: { ...viewerOf(), groups: [47_110] } })).toEqual(
      refused('unsafe-path', /Other users can write .*mode 0770/),
    )
  })

  it('where the file system keeps no modes', async () => {
    make({ 'tidemark.json': marker })
    const lstat = async (file: string): Promise<Stats> => {
      const stats = await thisProcess.lstat(file)
      if (file === directory) stats.mode |= 0o020
      return stats
    }
    expect(await refusal({ viewer: { ...viewerOf(), lstat } })).toEqual(
      refused('unsafe-path', /Other users can write .*mode 0720.* keeps no modes .*name a directory on another one/),
    )
  })

  it('but not where the sticky bit keeps what is there', async () => {
    make({ 'tidemark.json': marker }, 0o1777)
    expect(await open()).toBe(directory)
  })

  it("when it is another user's", async () => {
    make({ 'tidemark.json': marker })
    expect(await refusal({ viewer: givenAway(directory) })).toEqual(
      refused('unsafe-path', /belongs to user 47110, and this process runs as/),
    )
  })

  it.each(['log', 'control', 'embedded'])('when %s in it is', async (name) => {
    make({ 'tidemark.json': marker, [`${name}/`]: '' }, 0o1777)
    const viewer = givenAway(path.join(directory, name))
    expect(await refusal({ viewer })).toEqual(refused('unsafe-path', new RegExp(`${name} belongs to user`)))
  })

  it.each(['log', 'control', 'embedded'])(
    'when %s in it can be written by them, if they can come there',
    async (name) => {
      make({ 'tidemark.json': marker, [`${name}/`]: '' })
      chmodSync(path.join(directory, name), 0o775)
      expect(await open()).toBe(directory)
      chmodSync(directory, 0o755)
      expect(await refusal()).toEqual(refused('unsafe-path', new RegExp(`chmod go-w .*${name}`)))
    },
  )

  it('when the marker in it is a link', async () => {
    make({})
    writeFileSync(path.join(above, 'other'), marker)
    symlinkSync(path.join(above, 'other'), path.join(directory, 'tidemark.json'))
    expect(await refusal()).toEqual(refused('unsafe-path', /tidemark.json is a symbolic link/))
  })
})
