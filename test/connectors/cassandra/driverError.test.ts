import { errors, types } from 'cassandra-driver'
import { describe, expect, test } from 'vitest'
import {
  driverReason,
  finalError,
  judgeDriverError,
  transientError,
} from '../../../src/connectors/cassandra/driverError.ts'
import { TidemarkError } from '../../../src/core/errors.ts'

const { responseErrorCodes: codes } = types
const answer = (code: number): Error => new errors.ResponseError(code, 'the server says so')
const noHost = (inner: unknown): Error => new errors.NoHostAvailableError(inner)

describe('an error of the driver', () => {
  test.each([
    ['overloaded', answer(codes.overloaded)],
    ['unavailable', answer(codes.unavailableException)],
    ['bootstrapping', answer(codes.isBootstrapping)],
    ['read timeout of the replicas', answer(codes.readTimeout)],
    ['write timeout', answer(codes.writeTimeout)],
    ['truncate error', answer(codes.truncateError)],
    ['no answer in time', new errors.OperationTimedOutError('no reply')],
    ['too many requests on a connection', new errors.BusyConnectionError('node', 2_048, 1)],
    ['socket closed', Object.assign(new Error('Socket was closed'), { isSocketError: true })],
    ['no connection in the pool while preparing', new Error('No connection available')],
    ['no node is up', noHost({})],
    ['no node without a list', noHost(null)],
    ['all nodes down', noHost({ a: 'Host considered as DOWN', b: new Error('connect ECONNREFUSED') })],
    ['all nodes overloaded', noHost({ a: answer(codes.overloaded) })],
    ['a password that was changed', noHost({ a: new errors.AuthenticationError('no') })],
  ])('%s is transient, so that it never stands for a missing row', (_, error) => {
    expect(judgeDriverError(error)).toBe('transient')
    expect(transientError(error)).toMatchObject({
      code: 'system-unreachable',
      retriable: true,
      details: { system: 'cassandra' },
    })
  })

  test.each([
    ['undefined column', answer(codes.invalid)],
    ['no such table while preparing', answer(codes.syntaxError)],
    ['statement unknown to the server', answer(codes.unprepared)],
    ['statement forgotten by the driver', new errors.DriverInternalError('Unprepared response invalid, id: 0x00')],
    ['statement refused when it was prepared again on every node', noHost({ a: answer(codes.unprepared) })],
    ['the same with other nodes down', noHost({ a: 'Host considered as DOWN', b: answer(codes.unprepared) })],
  ])('%s means that the table may have changed', (_, error) => {
    expect(judgeDriverError(error)).toBe('stale')
  })

  test.each([
    ['internal server error', answer(codes.serverError)],
    ['too many tombstones', answer(codes.readFailure)],
    ['no permission', answer(codes.unauthorized)],
    ['bytes that cannot be read', new RangeError('out of bounds')],
    ['anything else', 'a text'],
  ])('%s concerns its read alone', (_, error) => {
    expect(judgeDriverError(error)).toBe('final')
    expect(finalError(error, 'ks.t')).toMatchObject({ code: 'lookup-failed', retriable: false })
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
    expect(transientError(unreachable)).toBe(unreachable)
  })
})
