import { errors, types } from 'cassandra-driver'
import { describe, expect, test } from 'vitest'
import {
  driverReason,
  failedOutcome,
  finalError,
  judgeDriverError,
  commandError,
} from '../../../../src/connectors/cassandra/client/driverError.ts'
import { TidemarkError } from '../../../../src/core/errors.ts'

const { responseErrorCodes: codes } = types
const answer = (code: number): Error => new errors.ResponseError(code, 'the server says so')
const noHost = (inner: unknown): Error => new errors.NoHostAvailableError(inner)

describe('an error of the driver', () => {
  test.each([
    ['overloaded', answer(codes.overloaded)],
    ['unavailable', answer(codes.unavailableException)],
    ['bootstrapping', answer(codes.isBootstrapping)],
    ['truncate error', answer(codes.truncateError)],
    ['credentials that are refused', answer(codes.badCredentials)],
    ['too many requests on a connection', new errors.BusyConnectionError('node', 2_048, 1)],
    ['socket closed', Object.assign(new Error('Socket was closed'), { isSocketError: true })],
    ['no connection in the pool while preparing', new Error('No connection available')],
    ['no node is up', noHost({})],
    ['no node without a list', noHost(null)],
    ['all nodes down', noHost({ a: 'Host considered as DOWN', b: new Error('connect ECONNREFUSED') })],
    ['all nodes overloaded', noHost({ a: answer(codes.overloaded) })],
    ['all nodes without the replicas', noHost({ a: answer(codes.unavailableException), b: 'Host considered as DOWN' })],
    ['a password that was changed', noHost({ a: new errors.AuthenticationError('no') })],
  ])('%s is the cluster, and never the record', (_, error) => {
    expect(judgeDriverError(error)).toBe('unavailable')
    expect(failedOutcome(error, 'ks.t')).toMatchObject({
      kind: 'error',
      unavailable: true,
      error: { code: 'system-unreachable', retriable: true, details: { system: 'cassandra' } },
    })
  })

  test.each([
    ['internal server error', answer(codes.serverError)],
    ['a node of another version', answer(codes.protocolError)],
    ['read timeout of the replicas', answer(codes.readTimeout)],
    ['too many tombstones, or a broken disk', answer(codes.readFailure)],
    ['write timeout', answer(codes.writeTimeout)],
    ['write failure', answer(codes.writeFailure)],
    ['no answer in time', new errors.OperationTimedOutError('no reply')],
    ['a code of a later version', answer(0x1700)],
    ['all nodes with an internal error', noHost({ a: answer(codes.serverError), b: 'Host considered as DOWN' })],
  ])('%s may be the cluster or the record: it is tried again', (_, error) => {
    expect(judgeDriverError(error)).toBe('transient')
    expect(failedOutcome(error, 'ks.t')).toMatchObject({
      kind: 'error',
      unavailable: false,
      error: { code: 'system-unreachable', retriable: true },
    })
  })

  test.each([
    ['undefined column', answer(codes.invalid)],
    ['a table that cannot be configured so', answer(codes.configError)],
    ['no such table while preparing', answer(codes.syntaxError)],
    ['statement unknown to the server', answer(codes.unprepared)],
    ['statement forgotten by the driver', new errors.DriverInternalError('Unprepared response invalid, id: 0x00')],
    ['statement refused when it was prepared again on every node', noHost({ a: answer(codes.unprepared) })],
    ['the same with other nodes down', noHost({ a: 'Host considered as DOWN', b: answer(codes.unprepared) })],
  ])('%s means that the table may have changed', (_, error) => {
    expect(judgeDriverError(error)).toBe('stale')
  })

  test.each([
    ['no permission', answer(codes.unauthorized)],
    ['a function that fails', answer(codes.functionFailure)],
    ['something that exists already', answer(codes.alreadyExists)],
    ['bytes that cannot be read', new RangeError('out of bounds')],
    ['anything else', 'a text'],
  ])('%s concerns its read alone', (_, error) => {
    expect(judgeDriverError(error)).toBe('final')
    expect(failedOutcome(error, 'ks.t')).toMatchObject({ error: { code: 'lookup-failed', retriable: false } })
  })

  test('has a verdict for every code that the driver knows', () => {
    const judged = Object.values(codes)
      .filter((code) => typeof code === 'number')
      .map((code) => [code, judgeDriverError(answer(code))] as const)
    expect(judged.filter(([, verdict]) => !['unavailable', 'transient', 'stale', 'final'].includes(verdict))).toEqual(
      [],
    )
    expect(new Map(judged).size).toBe(19)
  })

  test('of several nodes is told in one line, without stack traces', () => {
    const inner = { '10.0.0.1:9042': new Error('Socket was closed'), '10.0.0.2:9042': 'Host considered as DOWN' }
    expect(driverReason(noHost(inner))).toBe('10.0.0.1:9042: Socket was closed; 10.0.0.2:9042: Host considered as DOWN')
    expect(driverReason(noHost({}))).toBe('no node is up')
    expect(driverReason(new Error('a\n  b'))).toBe('a b')
  })

  test('that is ours already is kept', () => {
    const ours = new TidemarkError('invalid-value', 'no')
    expect(judgeDriverError(ours)).toBe('final')
    expect(finalError(ours, 'ks.t')).toBe(ours)
    const unreachable = new TidemarkError('system-unreachable', 'no')
    expect(judgeDriverError(unreachable)).toBe('transient')
    expect(commandError(unreachable, 'a row')).toBe(unreachable)
  })
})
