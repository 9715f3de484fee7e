import { describe, expect, test } from 'vitest'
import { connectionFailure } from '../../src/connectors/kafka/client/connectionFailure.ts'
import { outOfFiles } from '../../src/core/outOfFiles.ts'

const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code })
const level = new Error('Database failed to open', {
  cause: coded('IO error: /data/log/CURRENT: Too many open files', 'LEVEL_IO_ERROR'),
})

describe('an open that failed because too many files are open', () => {
  test.each([
    [coded("EMFILE: too many open files, open '/data/x'", 'EMFILE'), 'ulimit -n'],
    [coded('connect EMFILE 127.0.0.1:9092', 'EMFILE'), 'ulimit -n'],
    [level, 'ulimit -n'],
    [coded("ENFILE: file table overflow, open '/data/x'", 'ENFILE'), 'fs.file-max'],
    [new Error('IO error: /data/log/LOCK: Too many open files in system'), 'fs.file-max'],
  ])('is named for that, with the limit to raise: %s', (error, limit) => {
    expect(outOfFiles(error, 'It cannot be opened')).toMatchObject({
      code: 'too-many-files',
      message: expect.stringMatching(`^It cannot be opened: too many files and sockets are open.*${limit}`),
      cause: error,
    })
  })

  test.each([new Error('No space left on device'), coded('ENOENT: no such file', 'ENOENT'), 'EMFILE', null])(
    'is not %s',
    (error) => {
      expect(outOfFiles(error, 'It cannot be opened')).toBeNull()
    },
  )

  test('is tried again where it was a connection to Kafka, with the same advice', () => {
    const tried = { address: 'kafka:9092', tls: false, mechanism: null }
    const failure = connectionFailure(coded('connect EMFILE 10.0.0.1:9092', 'EMFILE'), tried)
    expect(failure).toMatchObject({ code: 'system-unreachable', retriable: true })
    expect(failure.message).toContain('raise its limit (ulimit -n, LimitNOFILE of a service)')
  })
})
