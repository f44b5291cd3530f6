import com.sun.management.GarbageCollectionNotificationInfo;
import exchange.core2.collections.objpool.ObjectsPool;
import exchange.core2.core.common.CoreSymbolSpecification;
import exchange.core2.core.common.MatcherEventType;
import exchange.core2.core.common.MatcherTradeEvent;
import exchange.core2.core.common.OrderAction;
import exchange.core2.core.common.OrderType;
import exchange.core2.core.common.SymbolType;
import exchange.core2.core.common.cmd.CommandResultCode;
import exchange.core2.core.common.cmd.OrderCommand;
import exchange.core2.core.common.config.LoggingConfiguration;
import exchange.core2.core.orderbook.OrderBookDirectImpl;
import exchange.core2.core.orderbook.OrderBookEventsHelper;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.management.NotificationEmitter;
import javax.management.openmbean.CompositeData;

/**
 * The order book of exchange-core on the rows of a flow, in one thread, measured as measure.ts does it: commands are made
 * before the clock starts, and chunks are timed in turns as a whole and one by one. Prints the figures as measure.ts has them.
 */
public final class ExchangeCore {
  private static final int ADD = 0, REDUCE = 1, CANCEL = 2, TAKE = 3, ROW_WORDS = 4;
  private static final int CHUNK = 1_000, CHUNKS_MIN = 2, CHUNKS_TOLD = 10, DEEP_FOR = 4;
  private static final long WARM_UP_NANOS = 1_500_000_000L;
  private static final int PASSES_MIN = 30;

  private final IntBuffer rows;
  private final int count, accounts;
  /** What the recorded reductions need: exchange-core is told by how much, the rows say to how much. */
  private final Map<Integer, Integer> quantities = new HashMap<>();
  private final boolean recorded;
  private final Clock clock = new Clock();
  private final List<String> told = new ArrayList<>();
  private OrderBookDirectImpl book = newBook();
  private long trades, shares;

  public static void main(String[] args) throws Exception {
    String flow = args[0];
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[1]))).order(ByteOrder.LITTLE_ENDIAN);
    int build = Integer.parseInt(args[2]);
    long nanos = Long.parseLong(args[3]) * 1_000_000;
    ExchangeCore run = new ExchangeCore(bytes.asIntBuffer(), build == 0);
    String bytesPerOrder = "null";
    if (build == 0) run.repeated(nanos);
    else bytesPerOrder = String.format(Locale.ROOT, "%.1f", run.deep(build, nanos));
    System.out.printf(
        Locale.ROOT,
        "{\"name\":\"exchange-core\",\"flow\":\"%s\",%s,\"bytesPerRestingOrder\":%s,\"kept\":null,\"told\":[%s]}%n",
        flow, run.clock.figures(), bytesPerOrder, String.join(",", run.told));
  }

  private ExchangeCore(IntBuffer rows, boolean recorded) {
    this.rows = rows;
    this.recorded = recorded;
    this.count = rows.limit() / ROW_WORDS;
    this.accounts = recorded ? 1_000 : 10_000;
  }

  private static OrderBookDirectImpl newBook() {
    CoreSymbolSpecification symbol =
        new CoreSymbolSpecification(1, SymbolType.CURRENCY_EXCHANGE_PAIR, 1, 2, 1, 1, 0, 0, 0, 0);
    return new OrderBookDirectImpl(
        symbol,
        ObjectsPool.createDefaultTestPool(),
        OrderBookEventsHelper.NON_POOLED_EVENTS_HELPER,
        LoggingConfiguration.DEFAULT);
  }

  /** A small flow again and again, a new book each time. */
  private void repeated(long nanos) {
    OrderCommand[] all = commands(0, count);
    passes(all, WARM_UP_NANOS);
    clock.reset();
    passes(all, nanos);
    told.add(told());
  }

  private void passes(OrderCommand[] all, long nanos) {
    long end = System.nanoTime() + nanos;
    for (int pass = 0; pass < PASSES_MIN || System.nanoTime() < end; pass++) {
      book = newBook();
      trades = 0;
      shares = 0;
      next(all);
    }
  }

  /** The book is built up first, which also warms up; then what follows is measured once. Tells the bytes of an order. */
  private double deep(int build, long nanos) {
    long before = heapBytes();
    for (int from = 0; from < build; from += CHUNK) next(commands(from, Math.min(build, from + CHUNK)));
    int resting = book.getOrdersNum(OrderAction.BID) + book.getOrdersNum(OrderAction.ASK);
    double bytes = (double) (heapBytes() - before) / resting;
    clock.reset();
    long end = System.nanoTime() + DEEP_FOR * nanos;
    int chunk = 1;
    for (int from = build; from < count && (chunk <= CHUNKS_MIN || System.nanoTime() < end); from += CHUNK, chunk++) {
      next(commands(from, Math.min(count, from + CHUNK)));
      if (chunk == CHUNKS_MIN || chunk % CHUNKS_TOLD == 0) told.add(told());
    }
    return bytes;
  }

  private OrderCommand[] commands(int from, int to) {
    OrderCommand[] made = new OrderCommand[to - from];
    for (int at = from; at < to; at++) {
      int row = at * ROW_WORDS, order = rows.get(row + 1), price = rows.get(row + 2), signed = rows.get(row + 3);
      made[at - from] = command(rows.get(row), order, price, signed);
    }
    return made;
  }

  private OrderCommand command(int kind, int order, int price, int signed) {
    int account = Math.abs(order) % accounts, size = Math.abs(signed);
    OrderAction action = signed > 0 ? OrderAction.BID : OrderAction.ASK;
    switch (kind) {
      case CANCEL:
        return OrderCommand.cancel(order, account);
      case REDUCE:
        return OrderCommand.reduce(order, account, quantities.put(order, size) - size);
      default:
        if (kind == ADD && recorded) quantities.put(order, size);
        return OrderCommand.newOrder(
            kind == TAKE ? OrderType.IOC : OrderType.GTC, order, account, price, price, size, action);
    }
  }

  private void apply(OrderCommand command) {
    switch (command.command) {
      case PLACE_ORDER:
        book.newOrder(command);
        break;
      case CANCEL_ORDER:
        expectSuccess(book.cancelOrder(command));
        break;
      default:
        expectSuccess(book.reduceOrder(command));
    }
    for (MatcherTradeEvent event = command.matcherEvent; event != null; event = event.nextEvent) {
      if (event.eventType != MatcherEventType.TRADE) continue;
      trades++;
      shares += event.size;
    }
    // Recorded commands are applied again.
    command.matcherEvent = null;
  }

  private static void expectSuccess(CommandResultCode code) {
    if (code != CommandResultCode.SUCCESS) throw new IllegalStateException("an order is not in the book: " + code);
  }

  private void next(OrderCommand[] commands) {
    if (clock.timesTheWhole()) {
      clock.beginWhole();
      for (OrderCommand command : commands) apply(command);
      clock.endWhole(commands.length);
      return;
    }
    for (OrderCommand command : commands) {
      long begin = System.nanoTime();
      apply(command);
      clock.one(begin, System.nanoTime());
    }
  }

  private String told() {
    int resting = book.getOrdersNum(OrderAction.BID) + book.getOrdersNum(OrderAction.ASK);
    return String.format("{\"trades\":%d,\"shares\":%d,\"resting\":%d}", trades, shares, resting);
  }

  private static long heapBytes() {
    System.gc();
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  /** The times of chunks and of single operations, and the pauses of the collector. */
  private static final class Clock {
    private int turn, timed, operations;
    private double[] nanos = new double[1 << 20];
    private long wallNanos, cpuNanos, begunWall, begunCpu, begun = System.nanoTime();
    private final List<double[]> pauses = new ArrayList<>();

    Clock() {
      for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans())
        ((NotificationEmitter) bean).addNotificationListener((notification, source) -> {
          var info = GarbageCollectionNotificationInfo.from((CompositeData) notification.getUserData());
          double major = info.getGcAction().contains("major") ? 1 : 0;
          synchronized (pauses) {
            pauses.add(new double[] {info.getGcInfo().getDuration(), major});
          }
        }, null, null);
    }

    boolean timesTheWhole() {
      return ++turn % 2 == 0;
    }

    void beginWhole() {
      begunCpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      begunWall = System.nanoTime();
    }

    void endWhole(int count) {
      wallNanos += System.nanoTime() - begunWall;
      cpuNanos += ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - begunCpu;
      operations += count;
    }

    void one(long begin, long end) {
      if (timed == nanos.length) nanos = Arrays.copyOf(nanos, 2 * timed);
      nanos[timed++] = end - begin;
    }

    void reset() {
      timed = operations = 0;
      wallNanos = cpuNanos = 0;
      begun = System.nanoTime();
      synchronized (pauses) {
        pauses.clear();
      }
    }

    String figures() {
      double elapsedMs = (System.nanoTime() - begun) / 1e6;
      double[] sorted = Arrays.copyOf(nanos, timed);
      Arrays.sort(sorted);
      synchronized (pauses) {
        return String.format(
            Locale.ROOT,
            "\"operations\":%d,\"perSecond\":%.0f,\"cpuNanosPerOperation\":%.0f,"
                + "\"nanos\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f,\"max\":%.0f},"
                + "\"gc\":{\"pauses\":%d,\"medianMs\":%.1f,\"longestMinorMs\":%.1f,\"longestMajorMs\":%.1f,\"shareOfTime\":%.4f}",
            operations + timed, operations / (wallNanos / 1e9), (double) cpuNanos / operations,
            at(sorted, 0.5), at(sorted, 0.99), at(sorted, 0.999), at(sorted, 1),
            pauses.size(), at(pauses.stream().mapToDouble(pause -> pause[0]).sorted().toArray(), 0.5),
            longest(0), longest(1), pauses.stream().mapToDouble(pause -> pause[0]).sum() / elapsedMs);
      }
    }

    private double longest(double major) {
      return pauses.stream().filter(pause -> pause[1] == major).mapToDouble(pause -> pause[0]).max().orElse(0);
    }

    private static double at(double[] sorted, double share) {
      return sorted.length == 0 ? 0 : sorted[(int) (share * (sorted.length - 1))];
    }
  }
}
