// java Save.java URL NAME
import java.io.IOException;
import java.io.StringReader;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.Set;

public class Save {
  public static void main(String[] args) throws Exception {
    System.out.println(save(args[0], args[1], 60_000));
  }

  static Properties save(String url, String name, int timeout) throws Exception {
    String command = "req=saveToFile&timeout=" + timeout + "&name=" + URLEncoder.encode(name, StandardCharsets.UTF_8);
    URI uri = URI.create(url + (url.contains("?") ? "&" : "?") + command);
    HttpRequest request = HttpRequest.newBuilder(uri).timeout(Duration.ofMillis(timeout + 5000)).build();
    HttpClient client = HttpClient.newHttpClient();
    for (int attempt = 1; ; attempt++) {
      int http = 0;
      Properties reply = new Properties();
      try {
        var response = client.send(request, BodyHandlers.ofString(StandardCharsets.US_ASCII));
        http = response.statusCode();
        if (http == 200 || http == 403) reply.load(new StringReader(response.body()));
      } catch (IOException broken) {
        reply.setProperty("error.message", broken.toString());
      }
      if ("done".equals(reply.getProperty("status"))) return reply;
      boolean again = "true".equals(reply.getProperty("error.retry")) || Set.of(0, 429, 502, 503, 504).contains(http);
      if (!again || attempt == 5) throw new IOException(http + ": " + reply.getProperty("error.message"));
      Thread.sleep(1000L * attempt);
    }
  }
}
