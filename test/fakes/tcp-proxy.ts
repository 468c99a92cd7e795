/** A network between a client and a server that can be cut, closed and made to lose what the server says. */
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface TcpProxy {
  port: number;
  /** Connections that were let through so far. */
  accepted(): number;
  /** All connections die at once. */
  cut(): void;
  /** While false, new connections are cut at once. */
  open(passing: boolean): void;
  /** From now on the server hears everything and the clients hear nothing, until `hear` or `cut`. */
  loseAnswers(): void;
  hear(): void;
  /** The connections there are say nothing more in either direction, and do not end; new ones are as before. */
  silence(): void;
  close(): Promise<void>;
}

export async function tcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const silent = new WeakSet<Socket>();
  let passing = true;
  let losing = false;
  let accepted = 0;
  const track = (socket: Socket): void => {
    sockets.add(socket);
    // A cut connection is what this is for.
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const cut = (): void => {
    losing = false;
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    track(client);
    if (!passing) {
      client.destroy();
      return;
    }
    accepted += 1;
    const upstream = connect(target.port, target.host);
    track(upstream);
    client.on('data', (bytes) => {
      if (!silent.has(upstream)) upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (!losing && !silent.has(upstream)) client.write(bytes);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    cut,
    open: (now) => {
      passing = now;
    },
    silence: () => {
      for (const socket of sockets) silent.add(socket);
    },
    loseAnswers: () => {
      losing = true;
    },
    hear: () => {
      losing = false;
    },
    close: async () => {
      passing = false;
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
