from rota_chassis.lifecycle import main
from rota_notifier.service import wiring
from rota_notifier.settings import NotifierSettings

if __name__ == "__main__":
    main("notifier", NotifierSettings, wiring)
