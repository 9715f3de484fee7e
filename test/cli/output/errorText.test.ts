import { expect, test } from 'vitest'
import { errorText, exitCodeOf } from '../../../src/cli/output/errorText.ts'
import { asTidemarkError, TidemarkError } from '../../../src/core/errors.ts'

test('an error of ours prints message, details it does not mention, causes and code, and no stack', () => {
  const error = new TidemarkError('commit-failed', 'The commit of epoch 7 was refused.', {
    cause: new Error('disk full', { cause: new Error('ENOSPC') }),
    details: { epoch: 7, partition: 3, topic: undefined, other: null },
  })
  expect(errorText(error, false).replace(/at: .*/, 'at: …')).toBe(
    [
      'Error: The commit of epoch 7 was refused.',
      '  because: disk full',
      '  because: ENOSPC',
      '  at: …',
      '  where: partition 3',
      '  code: commit-failed',
    ].join('\n'),
  )
})

test('a cause that the message already quotes is not repeated', () => {
  const error = new TidemarkError('job-not-found', 'It cannot be loaded: no such thing', {
    cause: new Error('no such thing'),
  })
  expect(errorText(error, false)).not.toContain('because')
})

test.each([
  [Object.assign(new Error('EMFILE: too many open files, open x'), { code: 'EMFILE' }), 'ulimit -n'],
  [new TidemarkError('system-unreachable', 'Cannot read package config x: too many open files.'), 'ulimit -n'],
  [new TypeError('x', { cause: Object.assign(new Error('ENFILE'), { code: 'ENFILE' }) }), 'sysctl fs.file-max'],
])('whatever failed for want of open files, the limit is named: %s', (error, remedy) => {
  expect(errorText(error, false)).toContain('too many files and sockets are open')
  expect(errorText(error, false)).toContain(remedy)
})

test('a circle of causes ends', () => {
  const error = new Error('a')
  error.cause = error
  expect(errorText(error, false)).toContain('Error: a')
})

test('the stack is printed on request, and an error that is not ours says how to see it', () => {
  const error = new TypeError('x is not a function')
  expect(errorText(error, false)).toContain('--log.level=debug')
  expect(errorText(error, false)).not.toContain('    at ')
  expect(errorText(error, true)).toContain('    at ')
})

test('the line of the user’s code is shown once, and on request the stack of what it wraps', () => {
  const error = new TidemarkError('commit-failed', 'It failed', { cause: new TypeError('x is no function') })
  expect(errorText(error, false)).toMatch(/^ {2}at: (.* \()?test\/cli\/output\/errorText\.test\.ts:\d+:\d+\)?$/m)
  expect(errorText(error, true)).toContain('caused by TypeError: x is no function\n    at ')
  const quoted = asTidemarkError(new TypeError('x is no function'), 'pipeline-failed', 'The pipeline failed')
  expect(quoted.message).toMatch(
    /^The pipeline failed: x is no function, at .*test\/cli\/output\/errorText\.test\.ts:\d+:\d+\)?$/,
  )
  expect(errorText(quoted, false)).not.toContain('  at: ')
})

test.each([
  ['invalid-setting', 2],
  ['system-unreachable', 3],
  ['commit-failed', 1],
  ['early-end', 1],
  ['malformed-json', 1],
] as const)('%s ends the process with %d', (code, exitCode) => {
  expect(exitCodeOf(new TidemarkError(code, 'x'))).toBe(exitCode)
})

test('anything else that is thrown ends the process with 1', () => {
  expect(exitCodeOf(new Error('x'))).toBe(1)
  expect(exitCodeOf('x')).toBe(1)
})
