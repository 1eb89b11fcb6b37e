from rota_chassis.lifecycle import main
from rota_ticker.service import wiring
from rota_ticker.settings import TickerSettings

if __name__ == "__main__":
    main("ticker", TickerSettings, wiring)
