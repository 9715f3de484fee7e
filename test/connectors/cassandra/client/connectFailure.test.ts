import { errors } from 'cassandra-driver'
import { describe, expect, test } from 'vitest'
import { connectFailure } from '../../../../src/connectors/cassandra/client/connectFailure.ts'
import { TidemarkError } from '../../../../src/core/errors.ts'

const tried = { contactPoints: [{ host: 'node1', port: 9042 }], tls: true, username: 'ada', localDatacenter: 'dc1' }
const noHost = (inner: Error | string): Error => new errors.NoHostAvailableError({ 'node1:9042': inner })
const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code })

describe('a session that cannot be opened', () => {
  test.each([
    [
      noHost(
        coded(
          "Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list",
          'ERR_TLS_CERT_ALTNAME_INVALID',
        ),
      ),
      'cassandra.tls.verify.hostname=false',
    ],
    [noHost(coded('certificate has expired', 'CERT_HAS_EXPIRED')), 'renew it'],
    [
      noHost(coded('tlsv13 alert certificate required', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')),
      'set cassandra.tls.cert and cassandra.tls.key',
    ],
    [noHost(coded('connect EHOSTUNREACH 10.0.0.1:9042', 'EHOSTUNREACH')), 'its firewalls'],
    [noHost(coded('connect EMFILE 10.0.0.1:9042 - Local (undefined:undefined)', 'EMFILE')), 'ulimit -n'],
    [new Error('no connection within 14 s'), 'its firewalls'],
    [new Error('something new'), 'Check cassandra.contact.points'],
  ])('because of "%s" says what to do', (error, fix) => {
    const failure = connectFailure(error, tried)
    expect(failure).toMatchObject({ code: 'system-unreachable', cause: error })
    expect(failure.message).toContain('Cassandra at node1:9042 cannot be used (with TLS, user ada, datacenter dc1): ')
    expect(failure.message).toContain(fix)
    expect(failure.message).not.toContain('\n')
  })

  test('because of one of our own errors keeps it', () => {
    const ours = new TidemarkError('invalid-setting', 'no')
    expect(connectFailure(ours, tried)).toBe(ours)
  })
})
